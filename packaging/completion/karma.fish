# Completion for fish: the commands and flags that `karma --help` and `karma COMMAND --help` list.
function __karma_help
    set -l words (commandline -opc)
    set -l command
    if test (count $words) -gt 1; and not string match -q -- '-*' $words[2]
        set command $words[2]
    end
    $words[1] $command --help 2>/dev/null
    # It takes what the server takes.
    test "$command" = config; and $words[1] --help 2>/dev/null
end
complete -c karma -n __fish_use_subcommand -f -a "(karma --help | sed -n '/^\$/q; s/^ *karma \([a-z][a-z]*\) .*/\1/p')"
complete -c karma -a "(__karma_help | string match -r -- '^  (?:-., )?--[a-z-]+' | string replace -r '.*--' -- '--')" -n "string match -q -- '-*' (commandline -ct)"
