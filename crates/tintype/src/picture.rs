//! The memory of a run as a picture: time across, offset up, one box per buffer.

use std::fmt::Write;

use crate::memory::{MemoryBuffer, MemoryPlan};

/// Pixels of the drawing and of its margins.
const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 460.0;
const LEFT: f64 = 62.0;
const TOP: f64 = 34.0;

/// How many of the buffers at the peak are listed.
const LISTED: usize = 12;

const STYLE: &str = "\
text{font:11px sans-serif;fill:#222}.title{font-size:13px;font-weight:bold}\
.box{stroke:#fff;stroke-width:.6}.live{fill:none;stroke:#111;stroke-width:1.2;stroke-opacity:.75}\
.bound{stroke:#b00;stroke-dasharray:5 4}.axis{stroke:#999;stroke-width:.6}\
.on{font-size:10px;pointer-events:none}.box:hover{stroke:#000;stroke-width:1.5}";

/// Colours of boxes; neighbours in program order differ.
const COLOURS: [&str; 8] =
    ["#8dbbe0", "#f2c27b", "#a8d5a2", "#d7a9cf", "#f0a59a", "#9fd3d0", "#d6cf8b", "#c2b7e3"];

/// Writing to a string does not fail.
macro_rules! put {
    ($text:expr, $($arg:tt)*) => {{ let _ = writeln!($text, $($arg)*); }};
}

/// Text as XML and HTML write it.
fn escape(text: &str) -> String {
    let mut res = String::new();
    for it in text.chars() {
        match it {
            '&' => res.push_str("&amp;"),
            '<' => res.push_str("&lt;"),
            '>' => res.push_str("&gt;"),
            '"' => res.push_str("&quot;"),
            it if it.is_control() => res.push(' '),
            it => res.push(it),
        }
    }
    res
}

/// Bytes in a unit that people read.
fn bytes(size: i64) -> String {
    match size {
        0..1024 => format!("{size} B"),
        1024..1_048_576 => format!("{:.1} KiB", size as f64 / 1024.0),
        _ => format!("{:.2} MiB", size as f64 / 1_048_576.0),
    }
}

struct Scale {
    /// The statements at which something begins or ends: time is counted in these.
    times: Vec<i64>,
    height: i64,
}

impl Scale {
    fn x(&self, time: i64) -> f64 {
        let place = self.times.partition_point(|it| *it < time) as f64;
        let steps = self.times.len().saturating_sub(1).max(1) as f64;
        LEFT + place * (WIDTH - LEFT - 12.0) / steps
    }

    fn y(&self, offset: i64) -> f64 {
        TOP + (HEIGHT - TOP) * (1.0 - offset as f64 / self.height.max(1) as f64)
    }
}

impl MemoryPlan {
    fn headline(&self) -> String {
        let sizes: Vec<String> =
            self.sizes.iter().map(|it| format!("{} = {}", it.0, it.1)).collect();
        let at = if sizes.is_empty() { String::new() } else { format!(" at {}", sizes.join(", ")) };
        let over = self.arena as f64 / self.lower_bound.max(1) as f64;
        let bodies = match self.bodies {
            0 => String::new(),
            it => format!("; bodies of control flow beside it, {}", bytes(it)),
        };
        format!(
            "{}{at}: {} buffers in an arena of {}, {over:.3} times the least possible{bodies}",
            self.name,
            self.buffers.len(),
            bytes(self.arena)
        )
    }

    /// The picture, with a list of the buffers at the peak below it.
    pub fn to_svg(&self) -> String {
        let mut times: Vec<i64> = self.buffers.iter().flat_map(|it| [it.start, it.end]).collect();
        times.sort_unstable();
        times.dedup();
        let scale = Scale { times, height: self.arena };
        let peak = self.at_peak();
        let listed = peak.len().min(LISTED);
        let height = HEIGHT + 64.0 + 16.0 * listed as f64;
        let mut text = String::new();
        put!(
            text,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
             role=\"img\"><style>{STYLE}</style>"
        );
        put!(text, "<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>");
        put!(text, "<text class=\"title\" x=\"8\" y=\"18\">{}</text>", escape(&self.headline()));
        for part in 0..=4 {
            let (offset, right) = (self.arena / 4 * part, WIDTH - 12.0);
            let (y, below) = (scale.y(offset), scale.y(offset) + 4.0);
            put!(text, "<path class=\"axis\" d=\"M{LEFT} {y:.1}H{right}\"/>");
            put!(text, "<text x=\"4\" y=\"{below:.1}\">{}</text>", bytes(offset));
        }
        for (i, it) in self.buffers.iter().enumerate().filter(|it| it.1.start < it.1.end) {
            draw(&mut text, &scale, i, it);
        }
        self.curve(&mut text, &scale);
        let mut y = HEIGHT + 20.0;
        put!(
            text,
            "<text x=\"{LEFT}\" y=\"{y}\">time: statements of the host program →   black: bytes in \
             use   red: the most in use, which no arena can be below</text>"
        );
        y += 24.0;
        put!(text, "<text class=\"title\" x=\"8\" y=\"{y}\">In use at the peak</text>");
        for it in peak.iter().take(LISTED) {
            y += 16.0;
            put!(
                text,
                "<text x=\"8\" y=\"{y}\">{}</text><text x=\"90\" y=\"{y}\">{}</text>",
                bytes(it.size),
                escape(&shortened(&format!("{} {} {}", it.name, it.ty, it.source), 130))
            );
        }
        text.push_str("</svg>\n");
        text
    }

    /// The bytes in use, as a line, and their greatest number.
    fn curve(&self, text: &mut String, scale: &Scale) {
        let mut path = format!("M{:.1} {:.1}", scale.x(0), scale.y(0));
        for (time, live) in self.live() {
            let _ = write!(path, "H{:.1}V{:.1}", scale.x(time), scale.y(live));
        }
        put!(text, "<path class=\"live\" d=\"{path}\"/>");
        let (y, right) = (scale.y(self.lower_bound), WIDTH - 12.0);
        put!(text, "<path class=\"bound\" d=\"M{LEFT} {y:.1}H{right}\"/>");
    }

    /// A page that needs nothing else: the picture, and what the pointer is at.
    pub fn to_html(&self) -> String {
        format!(
            "<!doctype html>\n<meta charset=\"utf-8\">\n<title>{0}</title>\n<style>\n\
             body{{margin:1em auto;max-width:1400px;font:14px sans-serif}}svg{{width:100%}}\n\
             #at{{position:fixed;bottom:0;left:0;right:0;padding:.6em 1em;background:#222;\
             color:#fff;min-height:1.2em;white-space:pre-wrap}}\n</style>\n{1}<div id=\"at\">\
             Point at a buffer.</div>\n<script>\nconst at = document.getElementById(\"at\");\n\
             for (const box of document.querySelectorAll(\".box\"))\n  \
             box.addEventListener(\"mouseenter\", () => {{\n    \
             at.textContent = box.querySelector(\"title\").textContent;\n  }});\n</script>\n",
            escape(&self.name),
            self.to_svg()
        )
    }
}

fn draw(text: &mut String, scale: &Scale, i: usize, it: &MemoryBuffer) {
    let (x, right) = (scale.x(it.start), scale.x(it.end));
    let (y, bottom) = (scale.y(it.offset + it.size), scale.y(it.offset));
    let (width, height) = (right - x, bottom - y);
    let colour = COLOURS[i % COLOURS.len()];
    let mut about = format!("{} {}, {} at {}", it.name, it.ty, bytes(it.size), it.offset);
    for more in [&it.kernel, &it.source].into_iter().filter(|it| !it.is_empty()) {
        about.push('\n');
        about.push_str(more);
    }
    put!(
        text,
        "<rect class=\"box\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" \
         height=\"{height:.1}\" fill=\"{colour}\"><title>{}</title></rect>",
        about.split('\n').map(escape).collect::<Vec<_>>().join("\n")
    );
    let room = (width / 5.6) as usize;
    if 11.0 < height && 4 < room {
        let (x, y) = (x + 2.0, y + height.min(24.0) / 2.0 + 4.0);
        let name = escape(&shortened(&it.name, room));
        put!(text, "<text class=\"on\" x=\"{x:.1}\" y=\"{y:.1}\">{name}</text>");
    }
}

/// The beginning of a text, so many characters at most.
fn shortened(text: &str, room: usize) -> String {
    match text.chars().count() <= room {
        true => text.to_owned(),
        false => text.chars().take(room.saturating_sub(1)).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use crate::memory::tests::sample;

    #[test]
    fn a_picture_has_a_box_per_buffer_and_no_foreign_markup() {
        let text = sample().to_svg();
        assert_eq!(text.matches("class=\"box\"").count(), 2);
        assert!(text.contains("a&lt;b&gt; f32[16], 64 B at 0"));
        assert!(text.contains("x &lt; y &amp; z") && !text.contains("a<b>"));
        // The lower box ends where the upper one begins.
        let y = |text: &str| -> f64 { text.split('"').next().unwrap().parse().unwrap() };
        let boxes: Vec<&str> = text.split("<rect class=\"box\" ").skip(1).collect();
        let top = y(boxes[0].split("y=\"").nth(1).unwrap());
        let bottom = y(boxes[1].split(" y=\"").nth(1).unwrap())
            + y(boxes[1].split("height=\"").nth(1).unwrap());
        assert!((top - bottom).abs() < 0.2, "{top} {bottom}");
    }

    #[test]
    fn a_page_names_nothing_outside() {
        let text = sample().to_html();
        assert!(!text.contains("src=") && !text.contains("href="));
        assert_eq!(text.matches("http").count(), 1, "the name space of SVG");
    }
}
