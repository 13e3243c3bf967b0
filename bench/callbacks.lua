-- Posts callbacks whose ids are new, or every second one a repeat; wrk -s callbacks.lua URL -- kind repeats
local threads = 0
function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

local n, kind, repeats, run, last = 0, "sms", false, "", ""
function init(arguments)
  kind, repeats, run = arguments[1], arguments[2] == "repeats", arguments[3]
end

local types = { ["Content-Type"] = "application/x-www-form-urlencoded", ["User-Agent"] = "at-ussd-api/1.0" }
function request()
  n = n + 1
  local is_repeat = repeats and n % 2 == 0
  if not is_repeat then last = run .. number .. "x" .. n end
  local phone = string.format("%%2B2547110000%02d", (is_repeat and n - 1 or n) % 100)
  if kind == "ussd" then
    local body = "phoneNumber=" .. phone .. "&serviceCode=%2A384%2A1234%23&text=1&sessionId=ATUid_" .. last .. "&networkCode=63902"
    return wrk.format("POST", "/api/ussd/session?token=bench-callback-token", types, body)
  end
  local body = "id=ATXid_" .. last .. "&status=Success&phoneNumber=" .. phone .. "&networkCode=63902&retryCount=0"
  return wrk.format("POST", "/api/sms/delivery-reports?token=bench-callback-token", types, body)
end

function done(summary, latency, _)
  local e = summary.errors
  io.write(string.format('RESULT {"requests":%d,"seconds":%f,"p50":%f,"p95":%f,"p99":%f,"worst":%f,"failed":%d}\n', summary.requests,
    summary.duration / 1e6, latency:percentile(50) / 1000, latency:percentile(95) / 1000, latency:percentile(99) / 1000, latency.max / 1000,
    e.connect + e.read + e.write + e.status + e.timeout))
end
