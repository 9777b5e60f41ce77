//! A minimal writer of HTML and SVG that always escapes text and attributes.

use std::fmt::Display;

pub(super) struct Element {
    name: &'static str,
    attributes: Vec<(&'static str, String)>,
    content: Vec<Content>,
}

enum Content {
    Element(Element),
    Text(String),
    /// Static text, such as the style sheet, which is not escaped.
    Own(&'static str),
}

pub(super) fn el(name: &'static str) -> Element {
    Element {
        name,
        attributes: Vec::new(),
        content: Vec::new(),
    }
}

impl Element {
    pub(super) fn attr(mut self, name: &'static str, value: impl Display) -> Self {
        self.attributes.push((name, value.to_string()));
        self
    }

    pub(super) fn class(self, class: &'static str) -> Self {
        self.attr("class", class)
    }

    pub(super) fn text(mut self, text: impl Display) -> Self {
        self.content.push(Content::Text(text.to_string()));
        self
    }

    /// Adds static text without escaping it.
    pub(super) fn own(mut self, text: &'static str) -> Self {
        self.content.push(Content::Own(text));
        self
    }

    pub(super) fn child(mut self, child: Self) -> Self {
        self.content.push(Content::Element(child));
        self
    }

    pub(super) fn children(mut self, children: impl IntoIterator<Item = Self>) -> Self {
        let children = children.into_iter().map(Content::Element);
        self.content.extend(children);
        self
    }

    pub(super) fn html(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        out.push('<');
        out.push_str(self.name);
        for (name, value) in &self.attributes {
            out.push(' ');
            out.push_str(name);
            out.push_str("=\"");
            escape(value, out);
            out.push('"');
        }
        out.push('>');
        if self.name == "meta" {
            out.push('\n');
            return;
        }
        for content in &self.content {
            match content {
                Content::Element(element) => element.write(out),
                Content::Text(text) => escape(text, out),
                Content::Own(text) => out.push_str(text),
            }
        }
        out.push_str("</");
        out.push_str(self.name);
        out.push('>');
        // A newline after an inline element would render as a space.
        if !matches!(self.name, "span" | "strong" | "text") {
            out.push('\n');
        }
    }
}

/// Control characters are invalid in HTML, and some are dangerous to programs that read it.
fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' => out.push('\n'),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_out_of_its_place() {
        let evil = "\"><script>alert('1')</script>&\u{1b}[2J\0";
        let html = el("p").attr("title", evil).text(evil).html();
        let safe =
            "&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;\u{fffd}[2J\u{fffd}";
        assert_eq!(html, format!("<p title=\"{safe}\">{safe}</p>\n"));
    }
}
