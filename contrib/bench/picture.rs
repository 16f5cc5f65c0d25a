//! Pictures drawn by hand, so that nothing is needed for them: the rates as bars, and the frame
//! that every picture has.

use std::fmt::Write;

use crate::report::{Line, Results, Subject, number};

/// Pixels: of the whole, of the names on the left, of the numbers on the right, of a bar with the
/// space around it.
const WIDTH: f64 = 760.0;
const LEFT: f64 = 110.0;
const RIGHT: f64 = 90.0;
const ROW: f64 = 20.0;

/// The colours of papod, of papod on the large database and through TLS, of limits and of words. Where a picture
/// stands on a dark page, the reader's system says so.
const STYLE: &str = "\
    .page{fill:#fff}.word{fill:#1f2328}.faint{fill:#59636e}.grid{stroke:#d1d9e0}\
    .papod{fill:#0969da}.large{fill:#80b8f5}.tls{fill:#1a7f37}.other{fill:#8250df}\
    .limit-fsync{fill:#8c959f}.limit,.sqlite{fill:#c8ced5}\
    .line.papod{stroke:#0969da;fill:none}.line.large{stroke:#80b8f5;fill:none}\
    @media(prefers-color-scheme:dark){\
    .page{fill:#0d1117}.word{fill:#e6edf3}.faint{fill:#9198a1}.grid{stroke:#3d444d}\
    .papod{fill:#4493f8}.large{fill:#27548c}.tls{fill:#2ea043}.other{fill:#ab7df8}\
    .limit-fsync{fill:#656c76}.limit,.sqlite{fill:#3d444d}\
    .line.papod{stroke:#4493f8}.line.large{stroke:#27548c}}";

/// Every rate of papod's that there is something to compare with, as bars. Bars of one group share
/// a scale; groups do not.
pub fn draw(results: &Results) -> String {
    // Costs have a picture of their own.
    let rates = results.lines.iter().filter(|l| l.unit == "/s" && l.scenario != "cost");
    let mut body = String::new();
    let mut y = 44.0;
    for line in rates.filter(|line| line.median(Subject::Papod).is_some()) {
        let values = Subject::ALL.map(|subject| Some((subject, line.median(subject)?)));
        let values: Vec<_> = values.into_iter().flatten().collect();
        if values.len() > 1 {
            y = group(&mut body, line, &values, y);
        }
    }
    frame("Per second, on one core of the server", results, (WIDTH, y), &body)
}

/// A picture of this size with its title, and the machine in small print below.
pub fn frame(title: &str, results: &Results, (width, height): (f64, f64), body: &str) -> String {
    let machine = escape(&results.machine);
    let (foot, height) = (height + 14.0, height + 26.0);
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" font-family="system-ui,sans-serif" font-size="12">
<style>{STYLE}</style>
<rect class="page" width="{width}" height="{height}" rx="8"/>
<text class="word" x="16" y="28" font-size="16" font-weight="600">{title}</text>
{body}<text class="faint" x="16" y="{foot}" font-size="11">{machine}</text>
</svg>
"#
    )
}

/// Draws one group at `y` and gives back where the next begins.
fn group(out: &mut String, line: &Line, values: &[(Subject, f64)], mut y: f64) -> f64 {
    let most = values.iter().map(|(_, v)| *v).fold(f64::MIN_POSITIVE, f64::max);
    let title = escape(&format!("{}: {}", line.scenario, line.measure));
    y += ROW;
    let base = y - 6.0;
    let _ =
        writeln!(out, r#"<text class="word" x="16" y="{base}" font-weight="600">{title}</text>"#);
    for (subject, value) in values {
        let width = ((WIDTH - LEFT - RIGHT) * *value / most).max(1.0);
        let (name, value, word) = (subject.name(), number(*value), y + 12.0);
        let (end, after) = (LEFT - 8.0, LEFT + width + 8.0);
        let _ = writeln!(
            out,
            r#"<text class="faint" x="{end}" y="{word}" text-anchor="end">{name}</text><rect class="{name}" x="{LEFT}" y="{y}" width="{width:.1}" height="16" rx="3"/><text class="word" x="{after:.1}" y="{word}">{value}</text>"#,
        );
        y += ROW;
    }
    y + 10.0
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
