--- Pages in a headless Chromium: a test's script runs in the page, after the page's own.
local core = require "swale.core"
local folders = require "swale.folders"
local html = require "swale.report.html"
local lu = require "luaunit"
local process = require "swale.process"

local M = {}

local TIMEOUT = 120 -- seconds; a loaded machine takes 10

--- Before all other scripts: what goes wrong from now on, and what would leave the page.
local FIRST = [[
window.seen = { errors: [], blocked: [], blobs: [] };
addEventListener("error", e => seen.errors.push(String(e.message || e.type)), true);
addEventListener("unhandledrejection", e => seen.errors.push(String(e.reason)));
addEventListener("securitypolicyviolation", e => seen.blocked.push(e.violatedDirective));
const url_of = URL.createObjectURL.bind(URL);
URL.createObjectURL = blob => { seen.blobs.push(blob); return url_of(blob); };
HTMLAnchorElement.prototype.click = function () { seen.download = this.download; };
]]

--- %s: the test's statements, which fill `result`.
local LAST = [[
(async () => {
  const $ = (words, from) => (from || document).querySelector(words);
  const $$ = (words, from) => Array.from((from || document).querySelectorAll(words));
  const choose = (e, value) => { e.value = value; e.dispatchEvent(new Event("change")); };
  const type = (e, text) => { e.value = text; e.dispatchEvent(new Event("input")); };
  const result = {};
  try { %s } catch (e) { seen.errors.push(String(e.stack || e)); }
  result.errors = seen.errors;
  result.blocked = seen.blocked;
  result.outside = performance.getEntriesByType("resource").map(e => e.name.slice(0, 80))
    .filter(name => !name.startsWith("data:"));
  const out = document.createElement("pre");
  out.id = "test-result";
  out.textContent = encodeURIComponent(JSON.stringify(result));
  document.body.replaceChildren(out);
})();
]]

--- chromium; skips the test without one, but where CI is to have it.
local function program()
  local found = process.find "chromium" or process.find "chromium-browser"
    or process.find "google-chrome"
  if found then return found end
  if os.getenv "CI" == "true" then lu.fail "there is no chromium (package chromium)" end
  lu.skip "there is no chromium (package chromium)"
end

local function with_scripts(page, script)
  local last = LAST:gsub("%%s", function() return script end)
  local head = ("<head><script>%s</script>"):format(FIRST)
  local policy = ("script-src %s "):format(html.escape(html.source(last)))
  page = page:gsub("<head>", function() return head end, 1)
  page = page:gsub("script%-src ", function() return policy end, 1)
  return (page:gsub("</body>%s*</html>%s*$", function()
    return ("<script>%s</script></body></html>"):format(last)
  end))
end

local function unescaped(text)
  return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

--- Lines of the page's console.
local function console(err)
  local lines = {}
  for line in err:gmatch "[^\n]*CONSOLE[^\n]*" do lines[#lines + 1] = line end
  return lines
end

---Opens a page, runs statements of JavaScript in it, and returns the fields that they set in
---`result`, with errors, blocked (by the policy), outside (requests) and console (lines).
---@param dir string     for temporary files
---@param path string
---@param script string
---@param size? string   "1300,1000"
---@return table
function M.drive(dir, path, script, size)
  local copy, browser = dir .. "/driven.html", program()
  assert(core.write_file(copy, with_scripts(assert(folders.read(path)), script)))
  local found = assert(process.run({ browser, "--headless=new", "--no-sandbox", "--disable-gpu",
    "--no-first-run", "--disable-dev-shm-usage", "--enable-logging=stderr",
    "--user-data-dir=" .. dir .. "/browser", "--window-size=" .. (size or "1300,1000"),
    "--virtual-time-budget=20000", "--dump-dom", "file://" .. copy },
    { cwd = dir, timeout = TIMEOUT }))
  folders.remove(dir .. "/browser")
  local text = found.out:match '<pre id="test%-result">(.-)</pre>'
  if not text then lu.fail("the page gave no result: " .. found.err:sub(-2000)) end
  local result = core.json_decode(unescaped(text))
  result.console = console(found.err)
  return result
end

return M
