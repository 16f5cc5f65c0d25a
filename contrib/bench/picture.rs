//! The results as bars: one group for each rate that there is a limit or another rate to compare
//! with, drawn by hand so that nothing is needed for it.

use std::fmt::Write;

use crate::report::{Line, Results, Subject, number};

/// Pixels: of the whole, of the words on the left, of a bar's height.
const WIDTH: f64 = 760.0;
const LEFT: f64 = 110.0;
const ROW: f64 = 18.0;

/// Draws every rate. Bars of one group share a scale; groups do not.
pub fn draw(results: &Results) -> String {
    let rates = results.lines.iter().filter(|line| line.unit == "/s");
    let mut body = String::new();
    let mut y = 34.0;
    for line in rates {
        y = group(&mut body, line, y);
    }
    let mut out = String::new();
    let _ = writeln!(
        out,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" font-family="sans-serif" font-size="12">"#
    );
    let _ = writeln!(out, r##"<rect width="100%" height="100%" fill="#fff"/>"##);
    let machine = escape(&results.machine);
    let _ = writeln!(out, r##"<text x="8" y="18" fill="#555">{machine}</text>"##);
    out + &body + "</svg>\n"
}

/// Draws one group at `y` and gives back where the next begins.
fn group(out: &mut String, line: &Line, mut y: f64) -> f64 {
    let values = Subject::ALL.map(|subject| line.median(subject).map(|value| (subject, value)));
    let values: Vec<_> = values.into_iter().flatten().collect();
    let most = values.iter().map(|(_, v)| *v).fold(f64::MIN_POSITIVE, f64::max);
    let title = escape(&format!("{}: {}", line.scenario, line.measure));
    let _ = writeln!(out, r#"<text x="8" y="{:.0}" font-weight="bold">{title}</text>"#, y + 13.0);
    y += ROW;
    for (subject, value) in values {
        let width = (WIDTH - LEFT - 90.0) * value / most;
        let colour = match subject {
            Subject::Papod => "#2166ac",
            Subject::Other => "#92c5de",
            _ => "#b8b8b8",
        };
        let _ = writeln!(
            out,
            r#"<text x="{:.0}" y="{:.0}" text-anchor="end">{}</text><rect x="{LEFT}" y="{:.0}" width="{width:.1}" height="13" fill="{colour}"/><text x="{:.1}" y="{:.0}">{}</text>"#,
            LEFT - 6.0,
            y + 12.0,
            subject.name(),
            y + 1.0,
            LEFT + width + 6.0,
            y + 12.0,
            number(value)
        );
        y += ROW;
    }
    y + 10.0
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
