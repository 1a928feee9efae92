--- For the tests of swale.core: errors, folders, scripts in processes of their own.
local lu = require "luaunit"
local temporary = require "temporary"

local M = {}

--- f must raise a message with this text in it.
function M.raises(text, f, ...) lu.assert_error_msg_contains(text, f, ...) end

--- Ends an object, as `<close>` does.
function M.close(object)
  local closed <close> = object
  return closed
end

M.with_folder = temporary.with_folder

function M.read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

--- Runs a script that has `core`, in a process of its own; gives its output and "exit" or "signal"
--- with the number. bare: without `core`. shell: the command, %s being the script's path.
function M.run_child(script, options)
  options = options or {}
  local folder = temporary.folder()
  local path = folder .. "/script.lua"
  local file = assert(io.open(path, "w"))
  file:write(("package.cpath = %q\n"):format(package.cpath))
  if not options.bare then file:write "core = require 'swale.core'\n" end
  file:write(script)
  file:close()
  local shell = options.shell or "exec lua5.4 %s 2>&1"
  local pipe = assert(io.popen(shell:format(temporary.quote(path))))
  local text = pipe:read "a"
  local _, how, number = pipe:close()
  require("swale.folders").remove(folder)
  return text, how, number
end

return M
