# Completion of tuckbox for bash, made by `tuckbox completions bash`.

_tuckbox() {
    local cur=${COMP_WORDS[COMP_CWORD]} line=${COMP_LINE:0:COMP_POINT}
    local verb='' options='' i more text
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --vault|--account|--key|--password-file|--password-command|--ssh|--remote-program|--limit|--format|--color|--profile|--exclude|--iexclude|--exclude-file|--exclude-if-present|--exclude-larger-than|--min-age|--max-age|--newer-than|--files-from|--stdin-filename|--tag|--host|--at|--kind|--size|--newer|--older|--to|--include|--overwrite|--deleted-since|--output|--with|--sample|--pin|--accept-history|--reason|--for|--budget|--budget-bytes|--by|--since|--until|--group|--source|--command|--role) ((i++)) ;;
        -* | =) ;;
        *) verb=${COMP_WORDS[i]}; break ;;
        esac
    done
    case $verb in
    '') options='--vault --account --key --password-file --password-command --ssh --remote-program --limit --json --format --null --no-input --yes --quiet --verbose --color --utc --profile --help --version --in-vault --exclude --iexclude --exclude-file --exclude-caches --exclude-if-present --exclude-larger-than --min-age --max-age --newer-than --one-file-system --files-from --stdin --stdin-filename --tag --host --dry-run --accept-deletions --partial --at --long --recursive --directory --all-versions --deleted --regex --whole-path --ignore-case --kind --size --newer --older --to --include --overwrite --delete --verify --with-holes --full-paths --deleted-since --output --metadata --exit-code --with --checksums --full --read-data --sample --pin --accept-history --undo --reason --for --budget --budget-bytes --exact --classes --by --since --until --all --group --sum --log --notify --source --vi --command --keep-going --plain --ascii --stdio --role' ;;
    init) options='--in-vault --vault --account --key --password-file --password-command --ssh --remote-program --limit --json --format --null --no-input --yes --quiet --verbose --color --utc --profile --help' ;;
    backup) options='--exclude --iexclude --exclude-file --exclude-caches --exclude-if-present --exclude-larger-than --min-age --max-age --newer-than --one-file-system --files-from --stdin --stdin-filename --tag --host --dry-run --accept-deletions --vault --account --key --password-file --password-command --ssh --remote-program --limit --json --format --null --no-input --yes --quiet --verbose --color --utc --profile --help' ;;
    versions) options='--partial --tag --vault --account --key --password-file --password-command --ssh --remote-program --limit --json --format --null --no-input --yes --quiet --verbose --color --utc --profile --help' ;;
    ls) options='--at --long --recursive --directory --vault --account --key --password-file --password-command --ssh --remote-program --limit --json --format --null --no-input --yes --quiet --verbose --color --utc --profile --help' ;;
    find) options='--at --all-versions --deleted --regex --whole-path --ignore-case --kind --size --newer --older --long --vault --account --key --password-file --password-command --ssh --remote-program --limit --json --format --null --no-input --yes --quiet --verbose --color --utc --profile --help' ;;
    history) options='--at --vault --account --key --password-file --password-command --ssh --remote-program --limit --json --format --null --no-input --yes --quiet --verbose --color --utc --profile --help' ;;
    restore) options='--to --at --include --exclude --overwrite --delete --verify --with-holes --dry-run --full-paths --deleted-since --vault --account --key --password-file --password-command --ssh --remote-program --limit --json --format --null --no-input --yes --quiet --verbose --color --utc --profile --help' ;;
    dump) options='--at --output --with-holes --vault --account --key --password-file --password-command --ssh --remote-program --limit --json --format --null --no-input --yes --quiet --verbose --color --utc --profile --help' ;;
    diff) options='--metadata --exit-code --vault --account --key --password-file --password-command --ssh --remote-program --limit --json --format --null --no-input --yes --quiet --verbose --color --utc --profile --help' ;;
    compare) options='--at --with --checksums --full --exclude --iexclude --exclude-file --exclude-caches --exclude-if-present --exclude-larger-than --min-age --max-age --newer-than --one-file-system --vault --account --key --password-file --password-command --ssh --remote-program --limit --json --format --null --no-input --yes --quiet --verbose --color --utc --profile --help' ;;
    undelete) options='--to --in-vault --full-paths --verify --dry-run --vault --account --key --password-file --password-command --ssh --remote-program --limit --json --format --null --no-input --yes --quiet --verbose --color --utc --profile --help' ;;
    rollback) options='--to --dry-run --vault --account --key --password-file --password-command --ssh --remote-program --limit --json --format --null --no-input --yes --quiet --verbose --color --utc --profile --help' ;;
    delete) options='--dry-run --vault --account --key --password-file --password-command --ssh --remote-program --limit --json --format --null --no-input --yes --quiet --verbose --color --utc --profile --help' ;;
    check) options='--read-data --sample --full --pin --accept-history --vault --account --key --password-file --password-command --ssh --remote-program --limit --json --format --null --no-input --yes --quiet --verbose --color --utc --profile --help' ;;
    repair) options='--vault --account --key --password-file --password-command --ssh --remote-program --limit --json --format --null --no-input --yes --quiet --verbose --color --utc --profile --help' ;;
    forget) options='--undo --dry-run --reason --vault --account --key --password-file --password-command --ssh --remote-program --limit --json --format --null --no-input --yes --quiet --verbose --color --utc --profile --help' ;;
    pin) options='--undo --for --dry-run --reason --vault --account --key --password-file --password-command --ssh --remote-program --limit --json --format --null --no-input --yes --quiet --verbose --color --utc --profile --help' ;;
    housekeep) options='--dry-run --budget --budget-bytes --vault --account --key --password-file --password-command --ssh --remote-program --limit --json --format --null --no-input --yes --quiet --verbose --color --utc --profile --help --preset --keep-within --keep-tag --min-free --keep-last --keep-hourly --keep-daily --keep-weekly --keep-monthly --keep-yearly' ;;
    usage) options='--exact --classes --by --vault --account --key --password-file --password-command --ssh --remote-program --limit --json --format --null --no-input --yes --quiet --verbose --color --utc --profile --help' ;;
    key) options='--vault --account --key --password-file --password-command --ssh --remote-program --limit --json --format --null --no-input --yes --quiet --verbose --color --utc --profile --help --in-vault --label --new-password-file --output --words-file' ;;
    account) options='--vault --account --key --password-file --password-command --ssh --remote-program --limit --json --format --null --no-input --yes --quiet --verbose --color --utc --profile --help --figures --since --level --most --number --soft --hard --rate --late-after --contact --reason --finally --ssh-key --role --install --all --read-data --to --name' ;;
    group) options='--vault --account --key --password-file --password-command --ssh --remote-program --limit --json --format --null --no-input --yes --quiet --verbose --color --utc --profile --help --figures --soft --hard --rate --late-after --contact' ;;
    volume) options='--vault --account --key --password-file --password-command --ssh --remote-program --limit --json --format --null --no-input --yes --quiet --verbose --color --utc --profile --help --lost' ;;
    report) options='--vault --account --key --password-file --password-command --ssh --remote-program --limit --json --format --null --no-input --yes --quiet --verbose --color --utc --profile --help --since --of --exact' ;;
    traffic) options='--by --since --until --all --group --sum --log --vault --account --key --password-file --password-command --ssh --remote-program --limit --json --format --null --no-input --yes --quiet --verbose --color --utc --profile --help' ;;
    config) options='--vault --account --key --password-file --password-command --ssh --remote-program --limit --json --format --null --no-input --yes --quiet --verbose --color --utc --profile --help --origin --remove' ;;
    status) options='--all --notify --vault --account --key --password-file --password-command --ssh --remote-program --limit --json --format --null --no-input --yes --quiet --verbose --color --utc --profile --help' ;;
    doctor) options='--vault --account --key --password-file --password-command --ssh --remote-program --limit --json --format --null --no-input --yes --quiet --verbose --color --utc --profile --help' ;;
    explain) options='--vault --account --key --password-file --password-command --ssh --remote-program --limit --json --format --null --no-input --yes --quiet --verbose --color --utc --profile --help' ;;
    which) options='--vault --account --key --password-file --password-command --ssh --remote-program --limit --json --format --null --no-input --yes --quiet --verbose --color --utc --profile --help' ;;
    why) options='--source --exclude --iexclude --exclude-file --exclude-caches --exclude-if-present --exclude-larger-than --min-age --max-age --newer-than --one-file-system --vault --account --key --password-file --password-command --ssh --remote-program --limit --json --format --null --no-input --yes --quiet --verbose --color --utc --profile --help' ;;
    shell) options='--at --vi --vault --account --key --password-file --password-command --ssh --remote-program --limit --json --format --null --no-input --yes --quiet --verbose --color --utc --profile --help' ;;
    query) options='--command --at --keep-going --vault --account --key --password-file --password-command --ssh --remote-program --limit --json --format --null --no-input --yes --quiet --verbose --color --utc --profile --help' ;;
    tui) options='--at --plain --ascii --vault --account --key --password-file --password-command --ssh --remote-program --limit --json --format --null --no-input --yes --quiet --verbose --color --utc --profile --help' ;;
    schema) options='--vault --account --key --password-file --password-command --ssh --remote-program --limit --json --format --null --no-input --yes --quiet --verbose --color --utc --profile --help' ;;
    completions) options='--vault --account --key --password-file --password-command --ssh --remote-program --limit --json --format --null --no-input --yes --quiet --verbose --color --utc --profile --help' ;;
    man) options='--vault --account --key --password-file --password-command --ssh --remote-program --limit --json --format --null --no-input --yes --quiet --verbose --color --utc --profile --help' ;;
    serve) options='--stdio --role --vault --account --key --password-file --password-command --ssh --remote-program --limit --json --format --null --no-input --yes --quiet --verbose --color --utc --profile --help' ;;
    version) options='--vault --account --key --password-file --password-command --ssh --remote-program --limit --json --format --null --no-input --yes --quiet --verbose --color --utc --profile --help' ;;
    esac
    if [[ $cur == -* && $cur != *=* && $line != *' -- '* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
        return
    fi
    if [[ -z $verb && ${COMP_WORDS[COMP_CWORD - 1]} != @(--vault|--account|--key|--password-file|--password-command|--ssh|--remote-program|--limit|--format|--color|--profile|--exclude|--iexclude|--exclude-file|--exclude-if-present|--exclude-larger-than|--min-age|--max-age|--newer-than|--files-from|--stdin-filename|--tag|--host|--at|--kind|--size|--newer|--older|--to|--include|--overwrite|--deleted-since|--output|--with|--sample|--pin|--accept-history|--reason|--for|--budget|--budget-bytes|--by|--since|--until|--group|--source|--command|--role) && $cur != = ]]; then
        mapfile -t COMPREPLY < <(compgen -W 'init backup versions ls find history restore dump diff compare undelete rollback delete check repair forget pin housekeep usage key account group volume report traffic config status doctor explain which why shell query tui schema completions man serve version' -- "$cur")
        return
    fi
    # Paths in versions, versions, accounts, words: what the program knows, in the quotes that are open.
    while IFS=$'\t' read -r more text _; do
        COMPREPLY+=("$text")
        [[ $more == 0 ]] && compopt -o nospace
    done < <("${COMP_WORDS[0]/#\~/$HOME}" __complete bash "$line" "$cur" 2>/dev/null)
}
complete -F _tuckbox tuckbox
