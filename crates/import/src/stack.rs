//! Python tracebacks, as the metadata of nodes has them.

/// One call of a traceback.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame<'a> {
    /// The file.
    pub file: &'a str,
    /// The line in it, from one.
    pub line: u32,
    /// The function.
    pub function: &'a str,
    /// The text of the line; empty where the traceback has none.
    pub code: &'a str,
}

/// The frames of a traceback, outermost first.
pub fn frames(trace: &str) -> impl Iterator<Item = Frame<'_>> {
    let mut lines = trace.lines().peekable();
    std::iter::from_fn(move || {
        loop {
            let Some(frame) = header(lines.next()?) else { continue };
            // The line that follows is code, or the next frame if the source was not at hand.
            let code = lines.next_if(|line| header(line).is_none()).unwrap_or_default().trim();
            return Some(Frame { code, ..frame });
        }
    })
}

/// The innermost frame outside of PyTorch itself; the innermost one where all are inside.
pub fn innermost_user_frame(trace: &str) -> Option<Frame<'_>> {
    let mut innermost = None;
    let mut user = None;
    for frame in frames(trace) {
        if !is_torch(frame.file) {
            user = Some(frame);
        }
        innermost = Some(frame);
    }
    user.or(innermost)
}

/// Reads `File "model.py", line 3, in forward`.
fn header(line: &str) -> Option<Frame<'_>> {
    let rest = line.trim_start().strip_prefix("File \"")?;
    let (file, rest) = rest.split_once("\", line ")?;
    let (number, function) = match rest.split_once(", in ") {
        Some((number, function)) => (number, function.trim_end()),
        None => (rest.trim_end(), ""),
    };
    Some(Frame { file, line: number.parse().ok()?, function, code: "" })
}

fn is_torch(file: &str) -> bool {
    // Nodes that a pass of PyTorch made have a path without a folder in front.
    file.starts_with("torch/")
        || ["site-packages/torch/", "dist-packages/torch/", "site-packages\\torch\\"]
            .iter()
            .any(|folder| file.contains(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = r#"  File "/models/model.py", line 10, in forward
    x = self.inner(x)
  File "/models/my, line 3 folder/inner.py", line 42, in <lambda>
    return self.linear(x) + 1
           ~~~~~~~~~~~~~~^~~~
  File "<eval_with_key>.1", line 5, in forward
  File "/env/lib/python3.11/site-packages/torch/nn/modules/linear.py", line 134, in forward
    return F.linear(input, self.weight, self.bias)
"#;

    #[test]
    fn frames_are_read_in_order() {
        let lines: Vec<_> = frames(TRACE).map(|it| (it.line, it.code)).collect();
        let expected = [
            (10, "x = self.inner(x)"),
            (42, "return self.linear(x) + 1"),
            (5, ""),
            (134, "return F.linear(input, self.weight, self.bias)"),
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn the_innermost_user_frame_is_outside_of_torch() {
        let trace = TRACE.replace("  File \"<eval_with_key>.1\", line 5, in forward\n", "");
        let frame = innermost_user_frame(&trace).unwrap();
        assert_eq!((frame.line, frame.function), (42, "<lambda>"));
        assert_eq!(frame.file, "/models/my, line 3 folder/inner.py");
        let inside = trace.lines().skip(5).collect::<Vec<_>>().join("\n");
        assert_eq!(innermost_user_frame(&inside).map(|it| it.line), Some(134));
        assert_eq!(innermost_user_frame("no trace"), None);
    }
}
