cmake_minimum_required(VERSION 3.23)

# Script: the manual pages and completions that PROGRAM (with its emulator, where it needs one) tells, into FOLDER.

# Inside a batch job it must not take itself for a rank.
execute_process(COMMAND ${CMAKE_COMMAND} -E environment OUTPUT_VARIABLE environment)
string(REGEX MATCHALL "(^|\n)(ETASTAR|OMPI|PMI|PMIX|PRTE|SLURM|MV2|MPI|ALPS|PALS)_[A-Za-z0-9_]*" names "${environment}")
foreach(name IN LISTS names)
  string(STRIP "${name}" name)
  unset(ENV{${name}})
endforeach()

list(REMOVE_ITEM PROGRAM "")
file(REMOVE_RECURSE ${FOLDER}/man ${FOLDER}/completion)
file(MAKE_DIRECTORY ${FOLDER}/man/man1 ${FOLDER}/completion)
execute_process(COMMAND ${PROGRAM} man --folder ${FOLDER}/man/man1 COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${PROGRAM} completion bash OUTPUT_FILE ${FOLDER}/completion/etastar COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${PROGRAM} completion zsh OUTPUT_FILE ${FOLDER}/completion/_etastar COMMAND_ERROR_IS_FATAL ANY)
file(TOUCH ${STAMP})
