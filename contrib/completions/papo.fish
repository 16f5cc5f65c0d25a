# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_papo_global_optspecs
    string join \n server= as= device= secret-file= ca= 4 6 bell notify pictures= h/help V/version
end

function __fish_papo_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_papo_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_papo_using_subcommand
    set -l cmd (__fish_papo_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c papo -n "__fish_papo_needs_command" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_needs_command" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_needs_command" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_needs_command" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_needs_command" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_needs_command" -l pictures -d 'Show small pictures in a conversation at the terminal: if the terminal says that it can, or never' -r -f -a "auto\t''
never\t''"
complete -c papo -n "__fish_papo_needs_command" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_needs_command" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_needs_command" -l bell -d 'Ring the bell for new messages, in a conversation at the terminal'
complete -c papo -n "__fish_papo_needs_command" -l notify -d 'Show a desktop notification (notify-send) for new messages'
complete -c papo -n "__fish_papo_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_needs_command" -s V -l version -d 'Print version'
complete -c papo -n "__fish_papo_needs_command" -f -a "send" -d 'Send a message and print its id'
complete -c papo -n "__fish_papo_needs_command" -f -a "ask" -d 'Send a message, wait for an answer, and print its text'
complete -c papo -n "__fish_papo_needs_command" -f -a "re" -d 'Answer a message, and print the id of the answer'
complete -c papo -n "__fish_papo_needs_command" -f -a "fwd" -d 'Forward a message, and print the id of the new one'
complete -c papo -n "__fish_papo_needs_command" -f -a "file" -d 'Send files, and print the id of each'
complete -c papo -n "__fish_papo_needs_command" -f -a "get" -d 'Fetch the file of a message, and print where it is'
complete -c papo -n "__fish_papo_needs_command" -f -a "edit" -d 'Give a message of yours another text'
complete -c papo -n "__fish_papo_needs_command" -f -a "del" -d 'Delete a message of yours for everyone; as the admin of a group, anyone\'s'
complete -c papo -n "__fish_papo_needs_command" -f -a "react" -d 'React to a message, with one word or emoji'
complete -c papo -n "__fish_papo_needs_command" -f -a "marks" -d 'Show the earlier texts of a message, and who has reacted to it'
complete -c papo -n "__fish_papo_needs_command" -f -a "at" -d 'Have the server send a message later, and print the number under which it waits'
complete -c papo -n "__fish_papo_needs_command" -f -a "later" -d 'List what is to be sent later, or cancel it'
complete -c papo -n "__fish_papo_needs_command" -f -a "expire" -d 'Have messages vanish some time after they were sent'
complete -c papo -n "__fish_papo_needs_command" -f -a "tail" -d 'Print messages from others as they come, one line each'
complete -c papo -n "__fish_papo_needs_command" -f -a "on" -d 'Run a command for each message from others, and send its output back'
complete -c papo -n "__fish_papo_needs_command" -f -a "hist" -d 'Show the last messages of a conversation'
complete -c papo -n "__fish_papo_needs_command" -f -a "search" -d 'Search messages by the beginnings of their words'
complete -c papo -n "__fish_papo_needs_command" -f -a "chats" -d 'List your conversations, and what is unread in them'
complete -c papo -n "__fish_papo_needs_command" -f -a "find" -d 'Find people by the beginnings of their names'
complete -c papo -n "__fish_papo_needs_command" -f -a "group" -d 'Show and change groups'
complete -c papo -n "__fish_papo_needs_command" -f -a "info" -d 'Show who has received and read a message'
complete -c papo -n "__fish_papo_needs_command" -f -a "mute" -d 'Mute a conversation in all your clients, except for messages that call you with @'
complete -c papo -n "__fish_papo_needs_command" -f -a "pin" -d 'List a conversation before the others, in all your clients'
complete -c papo -n "__fish_papo_needs_command" -f -a "archive" -d 'List a conversation apart from the others, and muted, in all your clients'
complete -c papo -n "__fish_papo_needs_command" -f -a "unread" -d 'List a conversation as unread in all your clients, until something is read there'
complete -c papo -n "__fish_papo_needs_command" -f -a "pref" -d 'Show or change what others may know about you and do with you'
complete -c papo -n "__fish_papo_needs_command" -f -a "devices" -d 'List your devices, or delete one'
complete -c papo -n "__fish_papo_needs_command" -f -a "register" -d 'Create the account named by --as'
complete -c papo -n "__fish_papo_needs_command" -f -a "login" -d 'Store a token, so that the password is not asked for again'
complete -c papo -n "__fish_papo_needs_command" -f -a "logout" -d 'Revoke the stored token and delete it'
complete -c papo -n "__fish_papo_needs_command" -f -a "passwd" -d 'Change the password'
complete -c papo -n "__fish_papo_needs_command" -f -a "token" -d 'List, create and revoke tokens'
complete -c papo -n "__fish_papo_needs_command" -f -a "raw" -d 'Log in, and speak the protocol on standard input and output'
complete -c papo -n "__fish_papo_using_subcommand send" -l wait -d 'Wait until everyone has received it (also without a value) or read it, or somebody has answered it' -r -f -a "delivered\t'Until everyone has received it'
read\t'Until everyone has read it'
answered\t'Until somebody has answered it'"
complete -c papo -n "__fish_papo_using_subcommand send" -l timeout -d 'How long to wait, 1 to 86400 [default: 86400]' -r
complete -c papo -n "__fish_papo_using_subcommand send" -l key -d 'Send at most once per KEY, however often the command is run [default: a random one]' -r
complete -c papo -n "__fish_papo_using_subcommand send" -l unless -d 'Unless it is delivered, read or answered by then, have the server send TEXT to a handle or +group' -r
complete -c papo -n "__fish_papo_using_subcommand send" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand send" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand send" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand send" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand send" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand send" -l lossy -d 'Send any input: replace what cannot be sent, and cut what is too long'
complete -c papo -n "__fish_papo_using_subcommand send" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand send" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand send" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand ask" -l timeout -d 'How long to wait [default: forever]' -r
complete -c papo -n "__fish_papo_using_subcommand ask" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand ask" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand ask" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand ask" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand ask" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand ask" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand ask" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand ask" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand re" -l wait -d 'Wait until everyone has received it (also without a value) or read it, or somebody has answered it' -r -f -a "delivered\t'Until everyone has received it'
read\t'Until everyone has read it'
answered\t'Until somebody has answered it'"
complete -c papo -n "__fish_papo_using_subcommand re" -l timeout -d 'How long to wait, 1 to 86400 [default: 86400]' -r
complete -c papo -n "__fish_papo_using_subcommand re" -l key -d 'Send at most once per KEY, however often the command is run [default: a random one]' -r
complete -c papo -n "__fish_papo_using_subcommand re" -l unless -d 'Unless it is delivered, read or answered by then, have the server send TEXT to a handle or +group' -r
complete -c papo -n "__fish_papo_using_subcommand re" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand re" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand re" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand re" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand re" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand re" -l lossy -d 'Send any input: replace what cannot be sent, and cut what is too long'
complete -c papo -n "__fish_papo_using_subcommand re" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand re" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand re" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand fwd" -l wait -d 'Wait until everyone has received it (also without a value) or read it, or somebody has answered it' -r -f -a "delivered\t'Until everyone has received it'
read\t'Until everyone has read it'
answered\t'Until somebody has answered it'"
complete -c papo -n "__fish_papo_using_subcommand fwd" -l timeout -d 'How long to wait, 1 to 86400 [default: 86400]' -r
complete -c papo -n "__fish_papo_using_subcommand fwd" -l key -d 'Send at most once per KEY, however often the command is run [default: a random one]' -r
complete -c papo -n "__fish_papo_using_subcommand fwd" -l unless -d 'Unless it is delivered, read or answered by then, have the server send TEXT to a handle or +group' -r
complete -c papo -n "__fish_papo_using_subcommand fwd" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand fwd" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand fwd" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand fwd" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand fwd" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand fwd" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand fwd" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand fwd" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand file" -l name -d 'Send it under this name, not under its own' -r
complete -c papo -n "__fish_papo_using_subcommand file" -l wait -d 'Wait until everyone has received it (also without a value) or read it, or somebody has answered it' -r -f -a "delivered\t'Until everyone has received it'
read\t'Until everyone has read it'
answered\t'Until somebody has answered it'"
complete -c papo -n "__fish_papo_using_subcommand file" -l timeout -d 'How long to wait, 1 to 86400 [default: 86400]' -r
complete -c papo -n "__fish_papo_using_subcommand file" -l key -d 'Send at most once per KEY, however often the command is run [default: a random one]' -r
complete -c papo -n "__fish_papo_using_subcommand file" -l unless -d 'Unless it is delivered, read or answered by then, have the server send TEXT to a handle or +group' -r
complete -c papo -n "__fish_papo_using_subcommand file" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand file" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand file" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand file" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand file" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand file" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand file" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand file" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand get" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand get" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand get" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand get" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand get" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand get" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand get" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand get" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand edit" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand edit" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand edit" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand edit" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand edit" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand edit" -l lossy -d 'Send any input: replace what cannot be sent, and cut what is too long'
complete -c papo -n "__fish_papo_using_subcommand edit" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand edit" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand edit" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand del" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand del" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand del" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand del" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand del" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand del" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand del" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand del" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand react" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand react" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand react" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand react" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand react" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand react" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand react" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand react" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand marks" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand marks" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand marks" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand marks" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand marks" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand marks" -l json -d 'Print one JSON object per line'
complete -c papo -n "__fish_papo_using_subcommand marks" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand marks" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand marks" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand at" -l key -d 'Send at most once per KEY, however often the command is run [default: a random one]' -r
complete -c papo -n "__fish_papo_using_subcommand at" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand at" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand at" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand at" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand at" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand at" -l lossy -d 'Send any input: replace what cannot be sent, and cut what is too long'
complete -c papo -n "__fish_papo_using_subcommand at" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand at" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand at" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand later" -l del -d 'Cancel what waits under this number' -r
complete -c papo -n "__fish_papo_using_subcommand later" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand later" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand later" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand later" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand later" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand later" -l json -d 'Print one JSON object per line'
complete -c papo -n "__fish_papo_using_subcommand later" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand later" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand later" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand expire" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand expire" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand expire" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand expire" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand expire" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand expire" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand expire" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand expire" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand tail" -l count -d 'Stop after N lines' -r
complete -c papo -n "__fish_papo_using_subcommand tail" -l timeout -d 'Stop after this time, with status 5' -r
complete -c papo -n "__fish_papo_using_subcommand tail" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand tail" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand tail" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand tail" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand tail" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand tail" -l all -d 'Print all events: your own messages, edits, deletions, reactions and receipts, too'
complete -c papo -n "__fish_papo_using_subcommand tail" -l json -d 'Print one JSON object per line'
complete -c papo -n "__fish_papo_using_subcommand tail" -l live -d 'Skip messages that were waiting, and acknowledge none; without --all, you do not appear online'
complete -c papo -n "__fish_papo_using_subcommand tail" -l waiting -d 'Stop when everything that was waiting is printed'
complete -c papo -n "__fish_papo_using_subcommand tail" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand tail" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand tail" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand on" -l pause -d 'Pause before the second try; it doubles before each further one' -r
complete -c papo -n "__fish_papo_using_subcommand on" -l limit -d 'Stop a command that takes longer, and count that as a failure [default: never]' -r
complete -c papo -n "__fish_papo_using_subcommand on" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand on" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand on" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand on" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand on" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand on" -l react -d 'Run it for reactions, too, with the word in PAPO_REACT, or - for one taken back'
complete -c papo -n "__fish_papo_using_subcommand on" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand on" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand on" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand hist" -l before -d 'Only those before this id' -r
complete -c papo -n "__fish_papo_using_subcommand hist" -l after -d 'Only those after this id' -r
complete -c papo -n "__fish_papo_using_subcommand hist" -l re -d 'Only the replies to this message' -r
complete -c papo -n "__fish_papo_using_subcommand hist" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand hist" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand hist" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand hist" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand hist" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand hist" -l json -d 'Print one JSON object per line'
complete -c papo -n "__fish_papo_using_subcommand hist" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand hist" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand hist" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand search" -l to -d 'Only in the conversation with a handle or +group [default: in all]' -r
complete -c papo -n "__fish_papo_using_subcommand search" -s n -d 'How many, the newest, 1 to 1000 [default: 50]' -r
complete -c papo -n "__fish_papo_using_subcommand search" -l before -d 'Only those before this id' -r
complete -c papo -n "__fish_papo_using_subcommand search" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand search" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand search" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand search" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand search" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand search" -l json -d 'Print one JSON object per line'
complete -c papo -n "__fish_papo_using_subcommand search" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand search" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand search" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand chats" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand chats" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand chats" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand chats" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand chats" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand chats" -l json -d 'Print one JSON object per line'
complete -c papo -n "__fish_papo_using_subcommand chats" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand chats" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand chats" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand find" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand find" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand find" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand find" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand find" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand find" -l json -d 'Print one JSON object per line'
complete -c papo -n "__fish_papo_using_subcommand find" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand find" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand find" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand group; and not __fish_seen_subcommand_from list who new add remove admin member rules invite join topic leave" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand group; and not __fish_seen_subcommand_from list who new add remove admin member rules invite join topic leave" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand group; and not __fish_seen_subcommand_from list who new add remove admin member rules invite join topic leave" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand group; and not __fish_seen_subcommand_from list who new add remove admin member rules invite join topic leave" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand group; and not __fish_seen_subcommand_from list who new add remove admin member rules invite join topic leave" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand group; and not __fish_seen_subcommand_from list who new add remove admin member rules invite join topic leave" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand group; and not __fish_seen_subcommand_from list who new add remove admin member rules invite join topic leave" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand group; and not __fish_seen_subcommand_from list who new add remove admin member rules invite join topic leave" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand group; and not __fish_seen_subcommand_from list who new add remove admin member rules invite join topic leave" -f -a "list" -d 'List the groups this account is in'
complete -c papo -n "__fish_papo_using_subcommand group; and not __fish_seen_subcommand_from list who new add remove admin member rules invite join topic leave" -f -a "who" -d 'List the members of a group'
complete -c papo -n "__fish_papo_using_subcommand group; and not __fish_seen_subcommand_from list who new add remove admin member rules invite join topic leave" -f -a "new" -d 'Create a group'
complete -c papo -n "__fish_papo_using_subcommand group; and not __fish_seen_subcommand_from list who new add remove admin member rules invite join topic leave" -f -a "add" -d 'Add members'
complete -c papo -n "__fish_papo_using_subcommand group; and not __fish_seen_subcommand_from list who new add remove admin member rules invite join topic leave" -f -a "remove" -d 'Remove a member'
complete -c papo -n "__fish_papo_using_subcommand group; and not __fish_seen_subcommand_from list who new add remove admin member rules invite join topic leave" -f -a "admin" -d 'Make a member an admin'
complete -c papo -n "__fish_papo_using_subcommand group; and not __fish_seen_subcommand_from list who new add remove admin member rules invite join topic leave" -f -a "member" -d 'Make an admin a plain member'
complete -c papo -n "__fish_papo_using_subcommand group; and not __fish_seen_subcommand_from list who new add remove admin member rules invite join topic leave" -f -a "rules" -d 'Show the rules of a group, or change one'
complete -c papo -n "__fish_papo_using_subcommand group; and not __fish_seen_subcommand_from list who new add remove admin member rules invite join topic leave" -f -a "invite" -d 'Make an invitation, and print its token, with which people can join'
complete -c papo -n "__fish_papo_using_subcommand group; and not __fish_seen_subcommand_from list who new add remove admin member rules invite join topic leave" -f -a "join" -d 'Join an open group, or one to which you have an invitation'
complete -c papo -n "__fish_papo_using_subcommand group; and not __fish_seen_subcommand_from list who new add remove admin member rules invite join topic leave" -f -a "topic" -d 'Set the topic of a group'
complete -c papo -n "__fish_papo_using_subcommand group; and not __fish_seen_subcommand_from list who new add remove admin member rules invite join topic leave" -f -a "leave" -d 'Leave a group'
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from list" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from list" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from list" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from list" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from list" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from list" -l open -d 'List the groups that anybody may join instead'
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from list" -l json -d 'Print one JSON object per line'
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from list" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from list" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from who" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from who" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from who" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from who" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from who" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from who" -l json -d 'Print one JSON object per line'
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from who" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from who" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from who" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from new" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from new" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from new" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from new" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from new" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from new" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from new" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from new" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from add" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from add" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from add" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from add" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from add" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from add" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from add" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from remove" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from remove" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from remove" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from remove" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from remove" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from remove" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from remove" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from admin" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from admin" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from admin" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from admin" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from admin" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from admin" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from admin" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from admin" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from member" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from member" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from member" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from member" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from member" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from member" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from member" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from member" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from rules" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from rules" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from rules" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from rules" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from rules" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from rules" -l json -d 'Print one JSON object per line'
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from rules" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from rules" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from rules" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from invite" -l uses -d 'How many may join with it' -r
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from invite" -l seconds -d 'How long it is good' -r
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from invite" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from invite" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from invite" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from invite" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from invite" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from invite" -l void -d 'Make all invitations to the group void instead'
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from invite" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from invite" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from invite" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from join" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from join" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from join" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from join" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from join" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from join" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from join" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from join" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from topic" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from topic" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from topic" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from topic" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from topic" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from topic" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from topic" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from topic" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from leave" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from leave" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from leave" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from leave" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from leave" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from leave" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from leave" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand group; and __fish_seen_subcommand_from leave" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand info" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand info" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand info" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand info" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand info" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand info" -l json -d 'Print one JSON object per line'
complete -c papo -n "__fish_papo_using_subcommand info" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand info" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand info" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand mute" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand mute" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand mute" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand mute" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand mute" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand mute" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand mute" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand mute" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand pin" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand pin" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand pin" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand pin" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand pin" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand pin" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand pin" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand pin" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand archive" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand archive" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand archive" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand archive" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand archive" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand archive" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand archive" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand archive" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand unread" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand unread" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand unread" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand unread" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand unread" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand unread" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand unread" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand unread" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand pref" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand pref" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand pref" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand pref" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand pref" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand pref" -l json -d 'Print one JSON object per line'
complete -c papo -n "__fish_papo_using_subcommand pref" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand pref" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand pref" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand devices; and not __fish_seen_subcommand_from del" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand devices; and not __fish_seen_subcommand_from del" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand devices; and not __fish_seen_subcommand_from del" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand devices; and not __fish_seen_subcommand_from del" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand devices; and not __fish_seen_subcommand_from del" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand devices; and not __fish_seen_subcommand_from del" -l json -d 'Print one JSON object per line'
complete -c papo -n "__fish_papo_using_subcommand devices; and not __fish_seen_subcommand_from del" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand devices; and not __fish_seen_subcommand_from del" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand devices; and not __fish_seen_subcommand_from del" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand devices; and not __fish_seen_subcommand_from del" -f -a "del" -d 'Delete a device, and close its sessions'
complete -c papo -n "__fish_papo_using_subcommand devices; and __fish_seen_subcommand_from del" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand devices; and __fish_seen_subcommand_from del" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand devices; and __fish_seen_subcommand_from del" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand devices; and __fish_seen_subcommand_from del" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand devices; and __fish_seen_subcommand_from del" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand devices; and __fish_seen_subcommand_from del" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand devices; and __fish_seen_subcommand_from del" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand devices; and __fish_seen_subcommand_from del" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand register" -l name -d 'The name that others see [default: the handle]' -r
complete -c papo -n "__fish_papo_using_subcommand register" -l invitation -d 'An invitation, where the operator asks for one' -r
complete -c papo -n "__fish_papo_using_subcommand register" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand register" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand register" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand register" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand register" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand register" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand register" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand register" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand login" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand login" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand login" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand login" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand login" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand login" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand login" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand login" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand logout" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand logout" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand logout" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand logout" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand logout" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand logout" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand logout" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand logout" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand passwd" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand passwd" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand passwd" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand passwd" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand passwd" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand passwd" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand passwd" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand passwd" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand token; and not __fish_seen_subcommand_from list new del" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand token; and not __fish_seen_subcommand_from list new del" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand token; and not __fish_seen_subcommand_from list new del" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand token; and not __fish_seen_subcommand_from list new del" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand token; and not __fish_seen_subcommand_from list new del" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand token; and not __fish_seen_subcommand_from list new del" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand token; and not __fish_seen_subcommand_from list new del" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand token; and not __fish_seen_subcommand_from list new del" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand token; and not __fish_seen_subcommand_from list new del" -f -a "list" -d 'List the tokens, and when each was created and last used'
complete -c papo -n "__fish_papo_using_subcommand token; and not __fish_seen_subcommand_from list new del" -f -a "new" -d 'Create a token and print it, once'
complete -c papo -n "__fish_papo_using_subcommand token; and not __fish_seen_subcommand_from list new del" -f -a "del" -d 'Revoke a token, and close the sessions it opened'
complete -c papo -n "__fish_papo_using_subcommand token; and __fish_seen_subcommand_from list" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand token; and __fish_seen_subcommand_from list" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand token; and __fish_seen_subcommand_from list" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand token; and __fish_seen_subcommand_from list" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand token; and __fish_seen_subcommand_from list" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand token; and __fish_seen_subcommand_from list" -l json -d 'Print one JSON object per line'
complete -c papo -n "__fish_papo_using_subcommand token; and __fish_seen_subcommand_from list" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand token; and __fish_seen_subcommand_from list" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand token; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand token; and __fish_seen_subcommand_from new" -l to -d 'Only for sending to this handle or +group' -r
complete -c papo -n "__fish_papo_using_subcommand token; and __fish_seen_subcommand_from new" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand token; and __fish_seen_subcommand_from new" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand token; and __fish_seen_subcommand_from new" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand token; and __fish_seen_subcommand_from new" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand token; and __fish_seen_subcommand_from new" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand token; and __fish_seen_subcommand_from new" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand token; and __fish_seen_subcommand_from new" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand token; and __fish_seen_subcommand_from new" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand token; and __fish_seen_subcommand_from del" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand token; and __fish_seen_subcommand_from del" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand token; and __fish_seen_subcommand_from del" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand token; and __fish_seen_subcommand_from del" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand token; and __fish_seen_subcommand_from del" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand token; and __fish_seen_subcommand_from del" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand token; and __fish_seen_subcommand_from del" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand token; and __fish_seen_subcommand_from del" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papo -n "__fish_papo_using_subcommand raw" -l server -d 'HOST:PORT, tls:HOST:PORT or unix:PATH, or several with commas: the next is tried [default: that of the last login, else localhost:7276]' -r
complete -c papo -n "__fish_papo_using_subcommand raw" -l as -d 'The account [default: that of the last login]' -r
complete -c papo -n "__fish_papo_using_subcommand raw" -l device -d 'Log in as this device of the account, whatever name you give it [default: that of the last login, with its token]' -r
complete -c papo -n "__fish_papo_using_subcommand raw" -l secret-file -d 'File that holds the password or a token' -r -F
complete -c papo -n "__fish_papo_using_subcommand raw" -l ca -d 'PEM file of certificates to trust instead of the system\'s: a CA\'s, or the server\'s own' -r -F
complete -c papo -n "__fish_papo_using_subcommand raw" -l quiet -d 'Get replies only, no events'
complete -c papo -n "__fish_papo_using_subcommand raw" -s 4 -d 'Use IPv4 addresses only'
complete -c papo -n "__fish_papo_using_subcommand raw" -s 6 -d 'Use IPv6 addresses only'
complete -c papo -n "__fish_papo_using_subcommand raw" -s h -l help -d 'Print help (see more with \'--help\')'
