-- Stops reconciliation. What is in the cloud stays as it is.
obj.metadata.annotations = obj.metadata.annotations or {}
obj.metadata.annotations["servicestage.dev/paused"] = "true"
return obj
