--- The launcher ./swale in a checkout of stubs: cmake, apt-get and others only record their
--- arguments, so that nothing is compiled or installed and no network is used.
local command = require "command"
local folders = require "swale.folders"
local lu = require "luaunit"

local HOME = os.getenv "SWALE_HOME" or "."

-- Every stub writes its name and arguments to calls. $T is the folder of the case.
local STUBS = {
  cmake = [[
    case $1 in --build) ;; *) exit 0 ;; esac
    [ ! -e "$T/slow" ] || sleep 0.5
    if [ -e "$T/broken" ]; then echo "error: broken on purpose"; exit 1; fi
    mkdir -p "$2/lua/swale" && touch "$2/lua/swale/core.so"]],
  ["dpkg-query"] = [[sed 's/^/installed /' "$T/installed"]],
  ["apt-cache"] = [[! grep -qx "$3" "$T/unknown"]],
  ["apt-get"] = [[
    if [ -e "$T/offline" ]; then
      [ "$1" != update ] || { cat "$T/offline"; exit 0; }
      exit 100
    fi
    while [ "$1" != -- ] && [ $# != 0 ]; do shift; done
    for name; do echo "$name" >>"$T/installed"; done]],
  id = [[cat "$T/uid"]],
  sudo = [[echo "a password is required" >&2; exit 1]],
}

local MAIN = [[
print("ran", table.concat({ ... }, "|"))
print("home", os.getenv "SWALE_HOME")
print("build", os.getenv "SWALE_BUILD")
print("path", package.path)
]]

local read, write = command.read, command.write

-- All packages of the list, the first of each choice.
local function listed_packages()
  local names = {}
  for line in read(HOME .. "/.packages"):gmatch "[^\n]+" do
    local rest = line:match "^%w+%s+([^#]+)"
    for name in (rest or ""):gmatch "%S+" do names[#names + 1] = name:match "^[^|?]+" end
  end
  return table.concat(names, "\n") .. "\n"
end

TestLauncher = command.in_a_folder()

function TestLauncher:setUp()
  self.dir = command.folder()
  self.home = self.dir .. "/a home"
  for _, name in ipairs { "scripts/bin", "core", "bindings", "tests/core" } do
    assert(folders.make_folder(self.home .. "/" .. name))
  end
  assert(folders.make_folder(self.dir .. "/bin"))
  for _, name in ipairs { "swale", ".packages" } do
    write(self.home .. "/" .. name, read(HOME .. "/" .. name))
  end
  assert(os.execute("chmod +x " .. command.quote(self.home .. "/swale")))
  for name, body in pairs(STUBS) do self:stub(name, body) end
  for _, name in ipairs { "calls", "unknown" } do write(self.dir .. "/" .. name, "") end
  write(self.dir .. "/uid", "0\n")
  write(self.dir .. "/installed", listed_packages())
  write(self.home .. "/scripts/bin/swale.lua", MAIN)
  for _, name in ipairs { "CMakeLists.txt", "CMakePresets.json", "core/a.c" } do
    write(self.home .. "/" .. name, "")
  end
end

function TestLauncher:stub(name, body)
  local path = self.dir .. "/bin/" .. name
  local head = ('#!/bin/sh\nT=%s\necho %s "$@" >>"$T/calls"\n'):format(command.quote(self.dir),
    name)
  write(path, head .. body .. "\n")
  os.execute("chmod +x " .. command.quote(path))
end

-- Runs a shell command with the stubs. Returns its output and errors, and its exit status.
function TestLauncher:shell(line)
  local pipe = assert(io.popen(string.format([[
    unset SWALE_BUILD SWALE_HOME SWALE_PRESET LUA_PATH LUA_CPATH LUA_PATH_5_4 LUA_CPATH_5_4
    unset LD_PRELOAD CI
    PATH=%s/bin:$PATH
    cd %s
    { %s
    } 2>&1 </dev/null]], command.quote(self.dir), command.quote(self.dir), line)))
  local output = pipe:read "a"
  local _, _, status = pipe:close()
  return output, status
end

function TestLauncher:swale(arguments) return self:shell("'a home/swale' " .. (arguments or "")) end

local function literally(text) return (text:gsub("%p", "%%%0")) end

function TestLauncher:remove(package)
  local pattern = "%f[%w]" .. literally(package) .. "\n"
  local rest = read(self.dir .. "/installed"):gsub(pattern, "")
  write(self.dir .. "/installed", rest)
end

function TestLauncher:calls(of)
  local _, n = read(self.dir .. "/calls"):gsub("%f[^\n\0]" .. literally(of), "")
  return n
end

function TestLauncher:test_builds_what_is_stale_and_only_that()
  lu.assert_str_contains(self:swale "run", "building (release)")
  lu.assert_equals(self:calls "cmake --build", 1)
  lu.assert_not_str_contains(self:swale "run", "building")
  lu.assert_equals(self:calls "cmake", 2)
  os.execute("touch " .. command.quote(self.home .. "/core/a.c"))
  lu.assert_str_contains(self:swale "run", "building")
  os.remove(self.home .. "/core/a.c")
  lu.assert_str_contains(self:swale "run", "building")
end

function TestLauncher:test_only_test_builds_the_tests()
  self:swale "run"
  lu.assert_equals(self:calls("cmake --build " .. self.home .. "/.build/release --target all"), 0)
  lu.assert_str_contains(self:swale "test", "building")
  lu.assert_not_str_contains(self:swale "test", "building")
  lu.assert_not_str_contains(self:swale "run", "building")
end

function TestLauncher:test_passes_arguments_from_any_folder_and_through_links()
  self:shell "ln -s '../a home/swale' bin/linked"
  local output = self:shell "cd / && linked run 'a b' '' \"c'd\""
  lu.assert_str_contains(output, "ran\trun|a b||c'd\n")
  lu.assert_str_contains(output, "home\t" .. self.home .. "\n")
  lu.assert_str_contains(output, "build\t" .. self.home .. "/.build/release\n")
end

function TestLauncher:test_two_at_once_build_once()
  write(self.dir .. "/slow", "")
  local output = self:shell "'a home/swale' first & 'a home/swale' second; wait"
  lu.assert_equals(self:calls "cmake --build", 1)
  lu.assert_str_contains(output, "waiting for another build")
  lu.assert_str_contains(output, "ran\tfirst")
  lu.assert_str_contains(output, "ran\tsecond")
end

function TestLauncher:test_a_failed_build_shows_its_log_and_is_tried_again()
  write(self.dir .. "/broken", "")
  for _ = 1, 2 do
    local output, status = self:swale "run"
    lu.assert_equals(status, 1)
    lu.assert_str_contains(output, "error: broken on purpose")
    lu.assert_str_contains(output, ".build/release/build.log")
    lu.assert_not_str_contains(output, "ran")
  end
  os.remove(self.dir .. "/broken")
  lu.assert_str_contains(self:swale "run", "ran\trun")
end

function TestLauncher:test_installs_what_is_missing_and_says_why()
  self:remove "lua-argparse"
  local output = self:swale "run"
  lu.assert_str_contains(output, "lua-argparse: the language, its options parser")
  lu.assert_str_contains(read(self.dir .. "/calls"), "-- lua-argparse\n")
  lu.assert_str_contains(output, "ran\trun")
  local queries = self:calls "dpkg-query"
  self:swale "run"
  lu.assert_equals(self:calls "dpkg-query", queries) -- not even asked again
end

function TestLauncher:test_a_command_needs_its_own_groups_only()
  self:remove "lua-unit"
  lu.assert_not_str_contains(self:swale "run", "missing")
  lu.assert_str_contains(self:swale "test", "lua-unit")
  self:remove "cppcheck"
  lu.assert_not_str_contains(self:swale "test", "missing")
  lu.assert_str_contains(self:swale "setup lint", "cppcheck")
end

function TestLauncher:test_what_only_long_tests_need_comes_with_them()
  self:remove "qemu-user"
  lu.assert_not_str_contains(self:swale "test", "missing")
  lu.assert_str_contains(self:swale "test --long", "qemu-user")
end

function TestLauncher:test_any_of_the_choices_will_do()
  self:remove "gnuplot-nox"
  lu.assert_str_contains(read(self.home .. "/.packages"), "gnuplot-nox|gnuplot-qt")
  write(self.dir .. "/installed", read(self.dir .. "/installed") .. "gnuplot-qt\n")
  lu.assert_not_str_contains(self:swale "run", "missing")
end

function TestLauncher:test_without_root_it_gives_the_command_and_ends()
  write(self.dir .. "/uid", "1000\n")
  self:remove "lua-luv"
  for _, ci in ipairs { "", "CI=true " } do
    local output, status = self:shell(ci .. "'a home/swale' run")
    lu.assert_equals(status, 1)
    lu.assert_str_contains(output,
      "By hand: sudo apt-get update && sudo apt-get install --no-install-recommends lua-luv\n")
    lu.assert_equals(self:calls "apt-get", 0)
  end
end

function TestLauncher:test_what_is_optional_stops_nothing()
  self:remove "dataset-fashion-mnist"
  write(self.dir .. "/unknown", "dataset-fashion-mnist\n")
  local output, status = self:swale "run"
  lu.assert_equals(status, 0)
  lu.assert_str_contains(output, "this distribution has no dataset-fashion-mnist")
  lu.assert_str_contains(output, "ran\trun")
end

function TestLauncher:test_an_install_that_fails_updates_the_lists_then_gives_up()
  self:remove "lua-luv"
  write(self.dir .. "/offline", "")
  local output, status = self:swale "run"
  lu.assert_equals(status, 1)
  lu.assert_true(self:calls "apt-get update" >= 1)
  lu.assert_str_contains(output, "could not install them")
  lu.assert_str_contains(output,
    "By hand: apt-get update && apt-get install --no-install-recommends lua-luv\n")
end

function TestLauncher:test_what_apt_does_not_know_is_not_in_the_command_by_hand()
  write(self.dir .. "/uid", "1000\n")
  self:remove "lua-luv"
  self:remove "lua-readline"
  self:remove "dataset-fashion-mnist"
  write(self.dir .. "/unknown", "dataset-fashion-mnist\n")
  lu.assert_str_contains(self:swale "run", "--no-install-recommends lua-luv lua-readline\n")
end

function TestLauncher:test_no_network_is_called_so()
  self:remove "lua-luv"
  write(self.dir .. "/offline",
    "W: Failed to fetch http://deb.debian.org/debian/dists/sid/InRelease"
    .. "  Temporary failure resolving 'deb.debian.org'\nW: Some index files failed to download.\n")
  local output, status = self:swale "run"
  lu.assert_equals(status, 1)
  lu.assert_str_contains(output, "apt-get update: Failed to fetch http://deb.debian.org")
  lu.assert_str_contains(output, "the package servers cannot be reached: is there a network?")
end

--- The launcher at a terminal where somebody types a line.
function TestLauncher:typed(line)
  return self:shell(([[printf '%%s\n' %s | python3 -c '
import pty, sys
sys.exit(pty.spawn(sys.argv[1:]) >> 8)' 'a home/swale' run]]):format(command.quote(line)))
end

function TestLauncher:test_a_refused_password_ends_it()
  write(self.dir .. "/uid", "1000\n")
  self:remove "lua-luv"
  local output, status = self:typed "y"
  lu.assert_equals(status, 1)
  lu.assert_str_contains(output,
    "sudo was refused, nothing installed. By hand: sudo apt-get update")
  lu.assert_equals({ self:calls "sudo -n true\n", self:calls "sudo -v\n", self:calls "sudo" },
    { 1, 1, 2 })
  lu.assert_equals(self:calls "apt-get", 0)
end

function TestLauncher:test_the_password_is_asked_for_before_the_work()
  write(self.dir .. "/uid", "1000\n")
  self:remove "lua-luv"
  self:stub("sudo", [[
    case $1 in -n) exit 1 ;; -v) exit 0 ;; esac
    "$@"]])
  lu.assert_str_contains(self:typed "", "ran\trun")
  lu.assert_equals(self:calls "sudo -v\n", 1)
end

function TestLauncher:test_what_cannot_be_written_is_built_elsewhere()
  write(self.home .. "/.build", "a file, where a folder cannot be made")
  local output, status = self:swale "run"
  lu.assert_equals(status, 1)
  lu.assert_equals(output, ([[
swale: this checkout has no build, and %s/.build cannot be written. Build it elsewhere:
  cmake -S '%s' -B ~/swale-build -G Ninja && cmake --build ~/swale-build
  SWALE_BUILD=~/swale-build '%s/swale' …
]]):format(self.home, self.home, self.home))
  lu.assert_equals(read(self.dir .. "/calls"), "")
end

function TestLauncher:test_another_lua_is_refused()
  assert(folders.make_folder(self.dir .. "/tools"))
  self:shell "ln -s /bin/* /usr/bin/* tools 2>/dev/null; rm -f tools/lua*"
  self:stub("lua", [[case $1 in -e) exit 1 ;; -v) echo "Lua 5.5.0  Copyright" ;; esac]])
  local output, status = self:shell 'PATH="$PWD/bin:$PWD/tools"; "a home/swale" run'
  lu.assert_equals(status, 1)
  lu.assert_str_contains(output, "swale: Swale runs under Lua 5.4; Lua 5.5 is installed.")
end

function TestLauncher:test_a_child_runs_the_build_that_it_was_given()
  self:swale "run"
  local before = self:calls "cmake"
  os.execute("touch " .. command.quote(self.home .. "/core/a.c"))
  local given = string.format("SWALE_BUILD=%s SWALE_HOME=%s ",
    command.quote(self.home .. "/.build/release"), command.quote(self.home))
  lu.assert_str_contains(self:shell(given .. "'a home/swale' run"), "ran\trun")
  lu.assert_equals(self:calls "cmake", before)
end

function TestLauncher:test_a_child_refuses_another_build()
  local output, status = self:shell "SWALE_BUILD=/nonexistent 'a home/swale' run"
  lu.assert_equals(status, 1)
  lu.assert_str_contains(output, "SWALE_BUILD=/nonexistent: there is no build in it")
  output, status = self:shell "SWALE_BUILD=/x/.build/release SWALE_HOME=/x 'a home/swale' run"
  lu.assert_equals(status, 1)
  lu.assert_str_contains(output, "belongs to /x, not to " .. self.home)
end

function TestLauncher:test_the_users_lua_path_comes_after_ours()
  local output = self:shell "LUA_PATH='/mine/?.lua;;' 'a home/swale' run"
  local ours = self.home .. "/scripts/?.lua;" .. self.home .. "/scripts/?/init.lua;"
  lu.assert_str_contains(output, "path\t" .. ours .. "/mine/?.lua;/usr")
  lu.assert_str_contains(self:swale "run", "path\t" .. ours .. "/usr")
end
