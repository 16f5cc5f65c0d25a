//! What a message costs, as curves: messages per second of the server's CPU time, over the number
//! of connections and over the number of conversations. The higher the cheaper; a flat line is a
//! cost that does not grow.

use std::fmt::Write;

use crate::picture::frame;
use crate::report::{Line, Results, Subject, number};

/// Pixels: of the whole, and of the edges of what is drawn.
const SIZE: (f64, f64) = (760.0, 400.0);
const LEFT: f64 = 80.0;
const RIGHT: f64 = 700.0;
const TOP: f64 = 90.0;
const BOTTOM: f64 = 350.0;
/// How far the names of two curves lie apart.
const NAMES: f64 = 210.0;
/// The greatest number of anything, as a power of ten.
const POWERS: f64 = 5.0;

struct Curve {
    /// What it is over.
    name: &'static str,
    /// Whose colour it has.
    subject: Subject,
    dashes: &'static str,
    /// How many there are, and messages per CPU second.
    points: Vec<(f64, f64)>,
}

/// Draws all that `cost` has measured.
pub fn draw(results: &Results) -> String {
    let curve = |name, subject, dashes, what| {
        let points = points(results, subject, what);
        Curve { name, subject, dashes, points }
    };
    let curves = [
        curve("over connections", Subject::Papod, "", "connections: "),
        curve("over conversations", Subject::Papod, "6 4", "conversations: "),
        curve("over conversations, large database", Subject::Large, "6 4", "conversations: "),
    ];
    let values = curves.iter().flat_map(|curve| &curve.points).map(|(_, value)| *value);
    let most = round_up(values.fold(1.0, f64::max));
    let mut body = String::new();
    axes(&mut body, most);
    for (curve, nth) in curves.iter().filter(|curve| !curve.points.is_empty()).zip(0..) {
        curve.draw(&mut body, most, LEFT + NAMES * f64::from(nth), &curves);
    }
    frame("Messages per second of the server’s CPU time", results, SIZE, &body)
}

/// What was measured of this, in the order of how many there were.
fn points(results: &Results, subject: Subject, what: &str) -> Vec<(f64, f64)> {
    let of_line = |line: &Line| {
        let count = line.measure.strip_suffix(": server CPU each")?.strip_prefix("messages, ")?;
        let count = count.strip_prefix(what)?.replace(',', "").parse().ok()?;
        Some((count, 1e6 / line.median(subject)?))
    };
    let lines = results.lines.iter().filter(|line| line.scenario == "cost");
    lines.filter_map(of_line).collect()
}

/// The next number that five lines divide well.
fn round_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0].map(|step| step * power);
    steps.into_iter().find(|step| *step >= value).unwrap_or(value)
}

fn x(count: f64) -> f64 {
    LEFT + (RIGHT - LEFT) * count.log10() / POWERS
}

fn y(value: f64, most: f64) -> f64 {
    BOTTOM - (BOTTOM - TOP) * value / most
}

fn axes(out: &mut String, most: f64) {
    for part in 0..=5 {
        let value = most * f64::from(part) / 5.0;
        let at = y(value, most);
        let _ = writeln!(
            out,
            r#"<line class="grid" x1="{LEFT}" y1="{at}" x2="{RIGHT}" y2="{at}"/><text class="faint" x="{}" y="{}" text-anchor="end">{}</text>"#,
            LEFT - 10.0,
            at + 4.0,
            number(value)
        );
    }
    for power in 0..=POWERS as i32 {
        let count = 10_f64.powi(power);
        let _ = writeln!(
            out,
            r#"<text class="faint" x="{}" y="{}" text-anchor="middle">{}</text>"#,
            x(count),
            BOTTOM + 20.0,
            number(count)
        );
    }
}

impl Curve {
    /// Draws it, and its name at `name` in the line above `all` curves.
    fn draw(&self, out: &mut String, most: f64, name: f64, all: &[Curve]) {
        let class = self.subject.name();
        let at: Vec<_> = self.points.iter().map(|(n, value)| (x(*n), y(*value, most))).collect();
        let line: Vec<_> = at.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let sample = format!("{name},54 {},54", name + 26.0);
        for points in [line.join(" "), sample] {
            let _ = writeln!(
                out,
                r#"<polyline class="{class} line" points="{points}" stroke-width="2.5" stroke-dasharray="{}"/>"#,
                self.dashes
            );
        }
        let text = name + 34.0;
        let _ = writeln!(out, r#"<text class="word" x="{text}" y="58">{}</text>"#, self.name);
        for ((x, y), (count, value)) in at.iter().zip(&self.points) {
            // Where curves lie close, the highest has its numbers above and the others below.
            let higher = |(n, v): &(f64, f64)| n == count && v > value;
            let is_below = all.iter().flat_map(|curve| &curve.points).any(higher);
            let (beside, value) = (y + if is_below { 20.0 } else { -10.0 }, number(*value));
            let _ = writeln!(
                out,
                r#"<circle class="{class}" cx="{x:.1}" cy="{y:.1}" r="4"/><text class="word" x="{x:.1}" y="{beside:.1}" text-anchor="middle">{value}</text>"#,
            );
        }
    }
}
