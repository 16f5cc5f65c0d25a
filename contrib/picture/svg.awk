# svg.awk: draws one terminal as a part of an SVG; picture.sh says what for:
#
#   LC_ALL=C awk -v title=ana -v left=1 -v columns=56 -v rows=14 -f svg.awk typed screen
#
# `screen` is what `tmux capture-pane -e -p` prints, with its colours. `typed` has the lines that were
# typed, which are set off where the terminal itself gives them no colour. Each stretch of one
# colour has its own place and its own width, so that columns are columns in whatever font the
# reader has; what is not ASCII stands alone, since it is often taken from another font. Bytes are
# looked at, hence LC_ALL=C; a character is taken to be one column wide.

BEGIN {
    split("484f58 ff7b72 3fb950 d29922 58a6ff bc8cff 39c5cf b1bac4 " \
        "6e7681 ffa198 56d364 e3b341 79c0ff d2a8ff 56d4dd ffffff", palette, " ")
    wide = 7.4; high = 18; x0 = left + 15; y0 = 52
    width = columns * wide + 30
    printf "<rect x=\"%s\" y=\"1\" width=\"%s\" height=\"%s\" rx=\"8\" fill=\"#0d1117\" stroke=\"#57606a\"/>\n",
        left, width, rows * high + 34
    printf "<path d=\"M%s 30.5h%s\" stroke=\"#30363d\"/>\n", left, width
    for (n = 0; n < 3; n++)
        printf "<circle cx=\"%s\" cy=\"16\" r=\"5\" fill=\"#%s\"/>\n", left + 18 + n * 18, palette[n == 0 ? 2 : 5 - n]
    printf "<text x=\"%s\" y=\"20\" fill=\"#8b949e\" text-anchor=\"middle\">%s</text>\n", left + width / 2, title
}

# The colour of this number among the 256 of a terminal.
function colour(n,    level) {
    if (n < 16) return palette[n + 1]
    if (n > 231) return sprintf("%02x%02x%02x", n * 10 - 2312, n * 10 - 2312, n * 10 - 2312)
    n -= 16
    split("0 95 135 175 215 255", level, " ")
    return sprintf("%02x%02x%02x", level[int(n / 36) + 1], level[int(n / 6) % 6 + 1], level[n % 6 + 1])
}

# What ESC [ … m sets.
function set(codes,    n, i, c, part) {
    n = split(codes, part, /[;:]/)
    if (n == 0) part[n = 1] = 0
    for (i = 1; i <= n; i++) {
        c = part[i] + 0
        if (c == 0) front = back = bold = faint = turned = ""
        else if (c == 1) bold = 1
        else if (c == 2) faint = 1
        else if (c == 7) turned = 1
        else if (c == 22) bold = faint = ""
        else if (c == 27) turned = ""
        else if (c == 39) front = ""
        else if (c == 49) back = ""
        else if (c >= 30 && c <= 37) front = colour(c - 30)
        else if (c >= 90 && c <= 97) front = colour(c - 82)
        else if (c >= 40 && c <= 47) back = colour(c - 40)
        else if (c >= 100 && c <= 107) back = colour(c - 92)
        else if (c == 38 || c == 48) {
            if (part[i + 1] == 5) given = colour(part[i + 2])
            else given = sprintf("%02x%02x%02x", part[i + 2], part[i + 3], part[i + 4])
            if (c == 38) front = given; else back = given
            i += part[i + 1] == 5 ? 2 : 4
        }
    }
}

# Draws some columns of this line.
function draw(from, to,    i, text, part, look, x, y) {
    split(style[from], part, " ")
    x = x0 + (from - 1) * wide; y = y0 + (line - 1) * high
    if (part[2] != "-")
        printf "<rect x=\"%s\" y=\"%s\" width=\"%s\" height=\"%s\" fill=\"#%s\"/>\n",
            x, y - 13, (to - from + 1) * wide, high, part[2]
    while (from <= to && cell[from] == " ") from++
    while (to >= from && cell[to] == " ") to--
    if (from > to) return
    for (i = from; i <= to; i++) text = text cell[i]
    gsub(/&/, "\\&amp;", text); gsub(/</, "\\&lt;", text); gsub(/>/, "\\&gt;", text)
    look = (part[3] == 1 ? " font-weight=\"bold\"" : "") (part[4] == 1 ? " opacity=\".6\"" : "")
    printf "<text x=\"%s\" y=\"%s\" textLength=\"%s\" fill=\"#%s\"%s>%s</text>\n",
        x0 + (from - 1) * wide, y, (to - from + 1) * wide, part[1], look, text
}

FNR == NR { typed[$0] = 1; next }

{
    line++
    # A prompt of the shell, and what was typed behind it or alone.
    if (substr($0, 1, 2) == "$ " && substr($0, 3) in typed) $0 = "\033[32m$\033[0m \033[1;96m" substr($0, 3) "\033[0m"
    else if ($0 != "" && $0 in typed) $0 = "\033[1;96m" $0 "\033[0m"
    last = 0
    for (i = 1; i <= length($0); i++) {
        c = substr($0, i, 1)
        if (c == "\033") {
            if (match(substr($0, i), /^\033\[[0-9;:]*m/)) set(substr($0, i + 2, RLENGTH - 3))
            else match(substr($0, i), /^\033./)
            i += RLENGTH - 1
        } else if (c ~ /[\200-\277]/) {
            cell[last] = cell[last] c
        } else if (c !~ /[\001-\037]/) {
            cell[++last] = c
            f = front == "" ? "c9d1d9" : front; b = back == "" ? "-" : back
            style[last] = turned ? (b == "-" ? "0d1117" : b) " " f : f " " b
            style[last] = style[last] " " bold + 0 " " faint + 0
        }
    }
    for (from = 1; from <= last; from = to + 1) {
        to = from
        while (to < last && style[to + 1] == style[from] && length(cell[to]) == 1 && length(cell[to + 1]) == 1) to++
        draw(from, to)
    }
}
