-- Goes on reconciling. The annotation is not removed: Argo CD takes a map that an action emptied for unchanged.
obj.metadata.annotations = obj.metadata.annotations or {}
obj.metadata.annotations["servicestage.dev/paused"] = "false"
return obj
