local annotations = obj.metadata.annotations or {}
local paused = annotations["servicestage.dev/paused"] == "true"
local actions = {}
actions["pause"] = {["disabled"] = paused}
actions["reconcile"] = {["disabled"] = paused}
actions["resume"] = {["disabled"] = not paused}
return actions
