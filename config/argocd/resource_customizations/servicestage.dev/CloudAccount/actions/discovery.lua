local paused = false -- an account cannot be paused
local actions = {}
actions["reconcile"] = {["disabled"] = paused}
return actions
