-- The request that wrk repeats: a chat of PERF_BYTES bytes for PERF_MODEL, streamed where PERF_STREAM is set.
local model, bytes = os.getenv("PERF_MODEL"), tonumber(os.getenv("PERF_BYTES"))
local stream = os.getenv("PERF_STREAM") == "1" and ',"stream":true,"stream_options":{"include_usage":true}' or ""
local head = '{"model":"' .. model .. '"' .. stream .. ',"messages":[{"role":"user","content":"'
local tail = '"}]}'
local text = string.rep("The river runs and the weir holds. ", math.ceil(bytes / 35))
wrk.method = "POST"
wrk.body = head .. string.sub(text, 1, math.max(1, bytes - #head - #tail)) .. tail
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer key-of-the-owner"
local metadata = os.getenv("PERF_METADATA") or ""
if metadata ~= "" then
  wrk.headers["x-tfy-metadata"] = metadata
end
