# Prints what zsh completes $LINE to, with the completion in $FILE: the last word as it then stands.
# A second zsh, on a terminal of its own, is typed into; when it has drawn its marks, it is through.
zmodload zsh/zpty
zpty typed zsh -f -i
zpty -w typed "PS1= PS2= RPS1=; unset zle_bracketed_paste; autoload -Uz compinit
fpath=(${FILE:h} \$fpath); compinit -u -D
show() { zle expand-or-complete; print -r -- \"<mark>\${\${(z)LBUFFER}[-1]}</mark>\" }
zle -N show; bindkey '^I' show; stty -echo; print rea''dy"
zpty -r typed said '*ready*'
zpty -w -n typed "$LINE"$'\t'
zpty -r typed said '*</mark>*'
said=${${said##*<mark>}%%</mark>*}
# A flag that takes a value is offered with the sign before it.
said=${said%=}
print -r -- "$said"
zpty -d typed
