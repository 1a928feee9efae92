--- Settings of the machine: the locale, the home folder, another Lua.
local command = require "command"
local folders = require "swale.folders"
local lu = require "luaunit"
local process = require "swale.process"

TestLocale = command.in_a_folder()

--- Makes a locale whose numbers have a decimal comma; a minimal system has no sources for one, not
--- even a character map.
local ASCII = [[
<code_set_name> ASCII
<comment_char> %
<escape_char> /
<mb_cur_min> 1
<mb_cur_max> 1
CHARMAP
<U0000>..<U007F> /x00
END CHARMAP
]]
local COMMA = [[
comment_char %
escape_char /
LC_NUMERIC
decimal_point ","
thousands_sep ""
grouping -1
END LC_NUMERIC
]]

function TestLocale:setUp()
  self.dir = command.folder()
  command.write(self.dir .. "/comma", COMMA)
  command.write(self.dir .. "/ascii", ASCII)
  local flags = "-c" -- the other categories are missing
  process.run({ "localedef", flags, "-f", "./ascii", "-i", "./comma", "./xx_XX" },
    { cwd = self.dir })
  self.made = folders.exists(self.dir .. "/xx_XX/LC_NUMERIC")
end

--- The output of a script that may use the locale "xx_XX".
function TestLocale:output(script)
  if not self.made then lu.skip "localedef makes no locale here" end
  command.write(self.dir .. "/script.lua", script)
  local result = command.swale(self.dir, { "lua", "script.lua" }, { LOCPATH = self.dir })
  lu.assert_equals(result.code, 0, result.err)
  return result.out
end

function TestLocale:test_the_locale_has_a_comma()
  lu.assert_equals(self:output [[os.setlocale "xx_XX" print(0.5)]], "0,5\n")
end

function TestLocale:test_the_core_writes_points()
  lu.assert_equals(self:output [[
    local core = require "swale.core"
    assert(os.setlocale "xx_XX")
    print(core.tensor { 0.5, 2 })
    print(core.tensor { 2.5e-8 })
    print(core.json_encode { 0.75 })
    local wrong = { kind = "polynomial", from = 1, to = 0, power = -0.5,
      period = { amount = 3, unit = "steps" } }
    print((select(2, pcall(core.schedule, wrong))))]],
    "[0.5 2. ]\n[float32 2]\n[2.5e-08]\n[float32 1]\n[0.75]\n"
    .. "script.lua:8: schedule: power must be finite and not negative, got -0.5\n")
end

--- Whether the locale is set before Swale is loaded or after.
function TestLocale:test_lua_writes_points()
  local set, load = 'assert(os.setlocale "xx_XX")\n', 'sw = require "swale"\n'
  for _, first in ipairs { set .. load, load .. set } do
    lu.assert_equals(self:output(first .. [[
      print(0.5, ("%g"):format(0.25), sw.schedule.constant(0.125):at(1))
      print(sw.every { epochs = 1.5 })]]),
      "0.5\t0.25\t0.125\n1.5 epochs\n")
  end
end

function TestLocale:test_other_categories_are_set()
  lu.assert_equals(self:output [[
    require "swale"
    print(os.setlocale("xx_XX", "time"), os.setlocale(nil, "numeric"), os.setlocale("C", "numeric"))
    print(os.setlocale("xx_XX", "numeric"))
    print(os.setlocale("xx_XX") ~= nil, os.setlocale(nil, "time"), os.setlocale(nil, "numeric"))]],
    'xx_XX\tC\tC\nnil\tswale keeps the decimal point: the locale\'s category "numeric" stays "C"\n'
    .. "true\txx_XX\tC\n")
end

function TestLocale:test_plots_are_drawn()
  if not process.find "gnuplot" then lu.skip "there is no gnuplot" end
  self:output [[
    local sw = require "swale"
    assert(os.setlocale "xx_XX")
    sw.schedule.plot({ falling = function(s) return 0.5 / (1 + s.epoch) end },
      { epochs = 2.5, file = "a.svg" })]]
  lu.assert_str_contains(command.read(self.dir .. "/a.svg"), "falling")
end

TestInstructionSets = {}

function TestInstructionSets:test_an_unknown_one_is_refused_in_one_line()
  local result = command.swale(".", { "--version" }, { SWALE_CPU = "foo" })
  lu.assert_equals(result.code, 1)
  lu.assert_str_matches(result.err,
    'swale: swale.core: there is no instruction set "foo"; there are: [%w, ]+scalar\n')
end

TestHome = command.in_a_folder()

--- The cache is never in the current folder.
function TestHome:test_a_relative_cache_is_ignored()
  local result = command.swale(self.dir, { "data", "list" },
    { HOME = "/home/me", XDG_CACHE_HOME = "cache", SWALE_DATA = false })
  lu.assert_str_contains(result.out, "Cache: /home/me/.cache/swale\n")
end

function TestHome:test_an_empty_folder_for_temporary_files_is_none()
  command.write(self.dir .. "/a.lua", [[
    local folders = require "swale.folders"
    local path = folders.temporary_folder()
    folders.remove(path)
    print(path:match "^(.*)/")]])
  local result = command.swale(self.dir, { "lua", "a.lua" }, { TMPDIR = "" })
  lu.assert_equals({ result.out, result.err }, { "/tmp\n", "" })
end

function TestHome:test_unset_or_empty_it_is_the_one_of_the_user_database()
  local home = require("luv").os_get_passwd().homedir
  for _, given in ipairs { false, "" } do
    local result = command.swale(self.dir, { "data", "list" },
      { HOME = given, XDG_CACHE_HOME = false, SWALE_DATA = false })
    lu.assert_equals(result.code, 0, result.err)
    lu.assert_str_contains(result.out, "Cache: " .. home .. "/.cache/swale\n")
  end
end

TestOtherLua = {}

function TestOtherLua:test_is_refused_in_one_line()
  local main = os.getenv "SWALE_HOME" .. "/scripts/bin/swale.lua"
  local result = assert(process.run { "lua5.4", "-e", '_VERSION = "Lua 5.5"', main, "--version" })
  lu.assert_equals({ result.code, result.out, result.err },
    { 1, "", "swale: Swale runs under Lua 5.4, this is Lua 5.5\n" })
  result = assert(process.run { "lua5.4", "-e", '_VERSION = "Lua 5.5" require "swale"' })
  lu.assert_str_contains(result.err, "swale runs under Lua 5.4, this is Lua 5.5\n")
end
