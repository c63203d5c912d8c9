-- Looks at the cloud now: every value that was not there before asks for one full reconciliation.
local os = require("os")
obj.metadata.annotations = obj.metadata.annotations or {}
obj.metadata.annotations["servicestage.dev/reconcile-requested-at"] = os.date("!%Y-%m-%dT%XZ")
return obj
