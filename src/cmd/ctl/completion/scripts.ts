/**
 * What shells load to complete our words. They know nothing but how to ask: `ipfs-cluster-ctl complete -- <words>` prints a
 * candidate a line, with what it is about behind a tab, or the line `:files` where the shell knows better.
 */

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

const bash = `# Completion of ipfs-cluster-ctl for bash: source <(ipfs-cluster-ctl completion bash)
_ipfs_cluster_ctl() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        if [[ $line == :files ]]; then
            compopt -o filenames
            while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$2")
            return
        fi
        COMPREPLY+=("\${line%%$'\\t'*}")
    done < <(ipfs-cluster-ctl complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    if [[ \${#COMPREPLY[@]} == 1 && \${COMPREPLY[0]} == *[=,] ]]; then compopt -o nospace; fi
}
complete -F _ipfs_cluster_ctl ipfs-cluster-ctl
`;

const zsh = `#compdef ipfs-cluster-ctl
# Completion of ipfs-cluster-ctl for zsh: source <(ipfs-cluster-ctl completion zsh)
_ipfs_cluster_ctl() {
    local line
    local -a texts shown
    while IFS= read -r line; do
        if [[ $line == :files ]]; then
            _files
            return
        fi
        texts+=("\${line%%$'\\t'*}")
        if [[ $line == *$'\\t'?* ]]; then
            shown+=("\${line%%$'\\t'*}  -- \${line#*$'\\t'}")
        else
            shown+=("\${line%%$'\\t'*}")
        fi
    done < <(ipfs-cluster-ctl complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
    (( \${#texts} )) && compadd -U -l -d shown -- "\${texts[@]}"
}
if [[ \${funcstack[1]} == _ipfs_cluster_ctl ]]; then
    _ipfs_cluster_ctl "$@"
else
    compdef _ipfs_cluster_ctl ipfs-cluster-ctl
fi
`;

const fish = `# Completion of ipfs-cluster-ctl for fish: ipfs-cluster-ctl completion fish | source
function __ipfs_cluster_ctl
    set -l words (commandline -opc)
    set -l lines (ipfs-cluster-ctl complete -- $words[2..-1] (commandline -ct) 2>/dev/null)
    if test "$lines[1]" = :files
        __fish_complete_path (commandline -ct)
    else
        printf '%s\\n' $lines
    end
end
complete -c ipfs-cluster-ctl -f -a '(__ipfs_cluster_ctl)'
`;

export const scripts: Readonly<Record<Shell, string>> = { bash, zsh, fish };
