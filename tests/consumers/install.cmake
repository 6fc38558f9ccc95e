# Installs BUILD into a folder, and moves the folder to STAGE.

cmake_minimum_required(VERSION 3.22)

file(REMOVE_RECURSE ${STAGE} ${STAGE}.first)
execute_process(COMMAND ${CMAKE_COMMAND} --install ${BUILD} --prefix ${STAGE}.first COMMAND_ERROR_IS_FATAL ANY)
file(RENAME ${STAGE}.first ${STAGE})
