# Fetches uPlot for the pages of `swale report`, once: cmake -D NPM= -D FROM= -D INTO= -P fetch.cmake
# Without npm or a network the pages draw their curves by themselves, so that nothing here fails.
set(work ${INTO}/../../../uplot)
file(MAKE_DIRECTORY ${work} ${INTO})
file(COPY ${FROM}/package.json ${FROM}/package-lock.json DESTINATION ${work})
if(NPM)
  execute_process(
    COMMAND ${NPM} ci --ignore-scripts --no-audit --no-fund --fetch-retries=1 --fetch-timeout=20000
    WORKING_DIRECTORY ${work} TIMEOUT 60 RESULT_VARIABLE result)
else()
  set(result "there is no npm")
endif()
if(result STREQUAL "0")
  set(from ${work}/node_modules/uplot)
  file(COPY ${from}/dist/uPlot.iife.min.js ${from}/dist/uPlot.min.css DESTINATION ${INTO})
  file(COPY_FILE ${from}/LICENSE ${INTO}/uPlot.LICENSE)
else()
  message(STATUS "uPlot was not fetched (${result}): swale report draws plain curves")
endif()
file(TOUCH ${INTO}/tried)
