-- How an object of the servicestage operator is, by the conditions that all its kinds have in common.
local status = obj.status or {}
local conditions = {}
for _, c in ipairs(status.conditions or {}) do
  conditions[c.type] = c
end
local function is(kind, value)
  return conditions[kind] ~= nil and conditions[kind].status == value
end
local ready = conditions["Ready"]

if obj.metadata.deletionTimestamp ~= nil then
  return {status = "Progressing", message = ready and ready.message or "Being deleted."}
end
if is("Paused", "True") then
  return {status = "Suspended", message = conditions["Paused"].message}
end
if ready == nil or status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "The operator has not looked at this generation yet."}
end
if is("Stalled", "True") then
  return {status = "Degraded", message = conditions["Stalled"].message}
end
if ready.status == "True" then
  -- What works and differs from its spec is healthy; the message says how it differs.
  return {status = "Healthy", message = is("Synced", "False") and conditions["Synced"].message or ready.message}
end
if ready.reason == "Unhealthy" then
  return {status = "Degraded", message = ready.message}
end
return {status = "Progressing", message = ready.message}
