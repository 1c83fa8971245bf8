# Completion for bash: the commands and flags that `karma --help` and `karma COMMAND --help` list.
_karma() {
  local word=${COMP_WORDS[COMP_CWORD]} karma=${COMP_WORDS[0]} help command=
  # --flag=PATH comes in three words.
  if [[ $word == = || ${COMP_WORDS[COMP_CWORD - 1]} == = ]]; then
    mapfile -t COMPREPLY < <(compgen -f -- "${word#=}")
    compopt -o filenames 2>/dev/null
    return
  fi
  if ((COMP_CWORD > 1)) && [[ ${COMP_WORDS[1]} != -* ]]; then command=${COMP_WORDS[1]}; fi
  help=$("$karma" ${command:+"$command"} --help 2>/dev/null)
  [[ $command == config ]] && help+=$'\n'$("$karma" --help 2>/dev/null) # it takes what the server takes
  if [[ $command == help ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$("$karma" help | sed -n 's/^  karma help //p')" -- "$word")
  elif [[ $word == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(grep -o -- '--[a-z][a-z-]*=\?' <<<"$(sed -n 's/^  \(-., \)\?\(--[^ ]*\).*/\2/p' <<<"$help")")" -- "$word")
    [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
  elif ((COMP_CWORD == 1)); then
    mapfile -t COMPREPLY < <(compgen -W "$(sed -n '/^$/q; s/^ *karma \([a-z][a-z]*\) .*/\1/p' <<<"$help")" -- "$word")
  else
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
    compopt -o filenames 2>/dev/null
  fi
  return 0
}
complete -F _karma karma
