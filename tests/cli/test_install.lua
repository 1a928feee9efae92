--- The installed tree: moved after installing, run by stock lua5.4 and built against by a program
--- in C, all from a folder outside of the checkout.
local command = require "command"
local lu = require "luaunit"

local BUILD = assert(os.getenv "SWALE_BUILD", "run by `./swale test`, which names the build")
local SANITIZED = BUILD:find "[at]san$" ~= nil

local PROGRAM = [[
#include <stdio.h>
#include <swale.h>

int main(void) {
  char reason[200] = "";
  sw_context *ctx = NULL;
  sw_status status = sw_open("scalar", 1, &ctx, reason, sizeof reason);
  printf("%s %s\n", sw_status_name(status), status == SW_OK ? sw_context_variant(ctx) : reason);
  sw_context_release(ctx);
  return 0;
}
]]

TestInstall = {}

local dir

-- A shell without any variable that names the checkout.
local function shell(line)
  local pipe = assert(io.popen(string.format([[
    unset SWALE_BUILD SWALE_HOME SWALE_PRESET LUA_PATH LUA_CPATH LUA_PATH_5_4 LUA_CPATH_5_4
    cd %s
    { %s
    } 2>&1 </dev/null]], command.quote(dir), line)))
  local output = pipe:read "a"
  local _, _, status = pipe:close()
  return output, status
end

local function succeeds(line)
  local output, status = shell(line)
  lu.assert_equals(status, 0, line .. "\n" .. output)
  return output
end

-- lua5.4 as it is below /usr/local, with this prefix in its place.
local function stock_lua(code)
  local share, lib = dir .. "/moved/share/lua/5.4", dir .. "/moved/lib/lua/5.4"
  return ("LUA_PATH='%s/?.lua;%s/?/init.lua;;' LUA_CPATH='%s/?.so;;' lua5.4 -e '%s'"):format(
    share, share, lib, code)
end

function TestInstall:setUp()
  dir = command.folder()
  succeeds(string.format("cmake --install %s --prefix %s && mv first moved", command.quote(BUILD),
    command.quote(dir .. "/first")))
end

function TestInstall:tearDown() command.remove(dir) end

function TestInstall:test_the_command_runs_wherever_it_was_moved()
  local version = succeeds "moved/bin/swale --version"
  lu.assert_str_contains(version, require "swale.core"._VERSION)
  lu.assert_equals(succeeds "ln -s moved/bin/swale linked && ./linked --version", version)
end

function TestInstall:test_stock_lua_finds_the_modules()
  local output = succeeds(stock_lua
    [[print(require "swale" ~= nil, package.searchpath("swale.core", package.cpath))]])
  lu.assert_equals(output, "true\t" .. dir .. "/moved/lib/lua/5.4/swale/core.so\n")
end

function TestInstall:test_experiments_and_data_come_along()
  succeeds "test -e moved/share/swale/experiments/quickstart.lua"
  local function files_in(folder)
    return succeeds("cd " .. command.quote(folder) .. " && find . -type f | sort")
  end
  local here = files_in(os.getenv "SWALE_HOME" .. "/scripts/swale")
  lu.assert_equals(files_in "moved/share/lua/5.4/swale", here)
end

function TestInstall:test_a_c_program_builds_against_it()
  lu.skipIf(SANITIZED, "a plain program cannot load a library built for a sanitizer")
  local file <close> = assert(io.open(dir .. "/program.c", "w"))
  file:write(PROGRAM)
  file:close()
  local output = succeeds [[
    export PKG_CONFIG_PATH=$(dirname $(find $PWD/moved -name swale.pc))
    cc -std=c11 -Wall -Werror program.c $(pkg-config --cflags --libs swale) -o program &&
      LD_LIBRARY_PATH=$(pkg-config --variable=prefix swale)/lib ./program]]
  lu.assert_equals(output, "OK scalar\n")
end

-- The exported functions that headers below a folder declare: names, sorted, one a line.
local function declared(folder)
  local text, names = succeeds("find " .. command.quote(folder) .. " -name '*.h' | xargs cat"), {}
  for name in text:gmatch "\nSW_API%s[^;(]-(sw_[%w_]+)%(" do names[#names + 1] = name end
  table.sort(names)
  return table.concat(names, "\n") .. "\n"
end

function TestInstall:test_headers_and_library_agree()
  local here = declared(os.getenv "SWALE_HOME" .. "/core")
  lu.assert_equals(declared "moved/include/swale", here)
  local exported = succeeds [[nm -D --defined-only $(find moved -name libswale.so) |
    grep -oE '\bsw_[a-z0-9_]+$' | LC_ALL=C sort -u]]
  lu.assert_equals(exported, here)
  lu.assert_equals(succeeds "find moved/include -name '*_int.h'", "")
end
