-- Restarts the component once, as kubectl rollout restart does it.
local os = require("os")
obj.metadata.annotations = obj.metadata.annotations or {}
obj.metadata.annotations["servicestage.dev/restarted-at"] = os.date("!%Y-%m-%dT%XZ")
return obj
