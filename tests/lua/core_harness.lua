--- What the tests of swale.core share: errors, folders, scripts in processes of their own.
local lu = require "luaunit"

local M = {}

--- f must raise a message with this text in it.
function M.raises(text, f, ...) lu.assert_error_msg_contains(text, f, ...) end

--- Ends an object, as `<close>` does.
function M.close(object)
  local closed <close> = object
  return closed
end

--- Calls f with a folder of its own, which is removed again.
function M.with_folder(f)
  local folder = os.tmpname()
  os.remove(folder)
  assert(os.execute("mkdir " .. folder))
  local ok, why = pcall(f, folder)
  os.execute("rm -r " .. folder)
  if not ok then error(why, 0) end
end

function M.read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

--- Runs a script that has `core`, in a process of its own; gives its output and "exit" or "signal"
--- with the number. bare: without `core`. shell: the command, %s being the script's path.
function M.run_child(script, options)
  options = options or {}
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(("package.cpath = %q\n"):format(package.cpath))
  if not options.bare then file:write "core = require 'swale.core'\n" end
  file:write(script)
  file:close()
  local pipe = assert(io.popen((options.shell or "exec lua5.4 %s 2>&1"):format(path)))
  local text = pipe:read "a"
  local _, how, number = pipe:close()
  os.remove(path)
  return text, how, number
end

return M
