//! Which path template a request's path belongs to.

use std::collections::HashMap;

use serde_json::Value;

/// All path templates, by method.
pub(super) struct Paths {
    by_method: HashMap<String, Vec<Template>>,
}

struct Template {
    text: String,
    segments: Vec<Segment>,
    /// The last parameter may hold several segments, or none.
    open_ended: bool,
}

enum Segment {
    Literal(String),
    Parameter,
}

impl Paths {
    pub(super) fn of(document: &Value) -> Self {
        let mut by_method: HashMap<String, Vec<Template>> = HashMap::new();
        for (text, item) in document["paths"].as_object().into_iter().flatten() {
            for (method, operation) in item.as_object().into_iter().flatten() {
                let template = Template::of(document, text, operation);
                by_method.entry(method.to_uppercase()).or_default().push(template);
            }
        }
        Self { by_method }
    }

    /// The template that fits with the most literal segments, from the left.
    pub(super) fn find(&self, method: &str, path: &str) -> Option<&str> {
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        self.by_method
            .get(method)?
            .iter()
            .filter(|template| template.fits(&segments))
            .max_by_key(|template| template.literalness(segments.len()))
            .map(|template| template.text.as_str())
    }
}

impl Template {
    fn of(document: &Value, text: &str, operation: &Value) -> Self {
        let segments: Vec<Segment> = text
            .trim_matches('/')
            .split('/')
            .map(|segment| match segment.strip_prefix('{') {
                Some(_) => Segment::Parameter,
                None => Segment::Literal(segment.to_owned()),
            })
            .collect();
        let last = text.rsplit('/').next().and_then(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
        let open_ended = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|parameter| super::schema::resolve(document, parameter))
            .any(|parameter| {
                parameter["in"] == "path"
                    && last.is_some_and(|last| parameter["name"] == last)
                    && parameter["x-multi-segment"] == true
            });
        Self { text: text.to_owned(), segments, open_ended }
    }

    fn fits(&self, path: &[&str]) -> bool {
        let fixed = if self.open_ended { self.segments.len() - 1 } else { self.segments.len() };
        let long_enough = if self.open_ended { path.len() >= fixed } else { path.len() == fixed };
        long_enough
            && self.segments[..fixed].iter().zip(path).all(|(segment, given)| match segment {
                Segment::Literal(literal) => literal == given,
                Segment::Parameter => !given.is_empty(),
            })
    }

    /// Rises with how well the template says what the path is.
    fn literalness(&self, path_length: usize) -> (bool, Vec<bool>, bool) {
        let whole = path_length >= self.segments.len();
        let literal = self.segments.iter().map(|segment| matches!(segment, Segment::Literal(_))).collect();
        (whole, literal, !self.open_ended)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_most_literal_template_is_found() {
        let open = json!({"in": "path", "name": "path", "x-multi-segment": true});
        let document = json!({"paths": {
            "/repos/{owner}/{repo}": {"get": {}},
            "/repos/{owner}/{repo}/actions/secrets/public-key": {"get": {}},
            "/repos/{owner}/{repo}/actions/secrets/{name}": {"get": {}},
            "/repos/{owner}/{repo}/contents/{path}": {"get": {"parameters": [open]}},
            "/repos/{owner}/{repo}/commits": {"get": {}},
            "/repos/{owner}/{repo}/commits/{path}": {"get": {"parameters": [open]}},
        }});
        let paths = Paths::of(&document);
        let find = |path| paths.find("GET", path).unwrap_or_default();
        let base = "/repos/{owner}/{repo}";
        assert_eq!(find("/repos/a/b"), base);
        assert_eq!(find("/repos/a/b/actions/secrets/public-key"), format!("{base}/actions/secrets/public-key"));
        assert_eq!(find("/repos/a/b/actions/secrets/KEY"), format!("{base}/actions/secrets/{{name}}"));
        assert_eq!(find("/repos/a/b/contents/x/y"), format!("{base}/contents/{{path}}"));
        assert_eq!(find("/repos/a/b/contents"), format!("{base}/contents/{{path}}"));
        assert_eq!(find("/repos/a/b/commits"), format!("{base}/commits"));
        assert_eq!(paths.find("POST", "/repos/a/b"), None);
        assert_eq!(find("/nothing/here"), "");
    }
}
