//! From a schema of OpenAPI 3.0 to JSON Schema: `nullable`, and references into the description.

use jsonschema::Validator;
use serde_json::{Map, Value, json};

const COMPONENTS: &str = "#/components/schemas/";
const DEFINITIONS: &str = "#/$defs/";
/// Words of OpenAPI that say nothing about values.
const SILENT: [&str; 6] = ["nullable", "example", "examples", "discriminator", "description", "title"];

/// A compiled schema.
pub(super) struct Schema(Validator);

impl Schema {
    pub(super) fn compile(document: &Value, schema: &Value) -> Result<Self, String> {
        let mut definitions = Map::new();
        let mut waiting = Vec::new();
        let mut whole = convert(schema, &mut waiting);
        while let Some(name) = waiting.pop() {
            if definitions.contains_key(&name) {
                continue;
            }
            let component = &document["components"]["schemas"][name.as_str()];
            if component.is_null() {
                return Err(format!("it has no schema {name}"));
            }
            let converted = convert(component, &mut waiting);
            definitions.insert(name, converted);
        }
        if let Some(fields) = whole.as_object_mut() {
            fields.insert("$defs".to_owned(), Value::Object(definitions));
        }
        jsonschema::options()
            .with_draft(jsonschema::Draft::Draft202012)
            .should_validate_formats(true)
            .should_ignore_unknown_formats(true)
            .build(&whole)
            .map(Self)
            .map_err(|error| error.to_string())
    }

    /// Where and how a value is not as described; of a choice of forms, the whole choice.
    pub(super) fn complaints(&self, value: &Value) -> Vec<String> {
        self.0
            .iter_errors(value)
            .map(|error| {
                let mut words = error.to_string();
                if words.len() > 400 {
                    let end = words.floor_char_boundary(400);
                    words.truncate(end);
                    words.push('…');
                }
                format!("{}: {words}", error.instance_path())
            })
            .collect()
    }
}

/// Follows a reference.
pub(super) fn resolve<'v>(document: &'v Value, value: &'v Value) -> &'v Value {
    let mut value = value;
    while let Some(pointer) = value["$ref"].as_str().and_then(|text| text.strip_prefix('#')) {
        value = document.pointer(pointer).unwrap_or(&Value::Null);
    }
    value
}

fn convert(schema: &Value, waiting: &mut Vec<String>) -> Value {
    let Some(fields) = schema.as_object() else {
        return schema.clone();
    };
    if let Some(name) =
        fields.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix(COMPONENTS))
    {
        waiting.push(name.to_owned());
        return json!({"$ref": format!("{DEFINITIONS}{name}")});
    }
    let mut converted = Map::new();
    for (key, value) in fields {
        let value = match (key.as_str(), value) {
            (key, _) if SILENT.contains(&key) => continue,
            ("properties" | "patternProperties", Value::Object(properties)) => {
                properties.iter().map(|(name, property)| (name.clone(), convert(property, waiting))).collect()
            }
            ("allOf" | "anyOf" | "oneOf", Value::Array(choices)) => {
                choices.iter().map(|choice| convert(choice, waiting)).collect()
            }
            ("items" | "additionalProperties" | "not", value) => convert(value, waiting),
            (_, value) => value.clone(),
        };
        // An object of the description may be one form of several that overlap.
        let key = if key == "oneOf" { "anyOf" } else { key };
        converted.insert(key.to_owned(), value);
    }
    let converted = Value::Object(converted);
    if fields.get("nullable") == Some(&Value::Bool(true)) {
        return json!({"anyOf": [{"type": "null"}, converted]});
    }
    converted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_and_null_are_understood() {
        let document = json!({"components": {"schemas": {
            "user": {
                "type": "object",
                "required": ["login"],
                "properties": {
                    "login": {"type": "string"},
                    "boss": {"$ref": "#/components/schemas/nullable-user"},
                },
            },
            "nullable-user": {
                "type": "object",
                "nullable": true,
                "required": ["login"],
                "properties": {"login": {"type": "string", "enum": ["chief"]}},
            },
        }}});
        let reference = json!({"$ref": "#/components/schemas/user"});
        let schema = Schema::compile(&document, &reference).unwrap();
        let complaints = |value: Value| schema.complaints(&value).len();
        assert_eq!(complaints(json!({"login": "a", "boss": null})), 0);
        assert_eq!(complaints(json!({"login": "a", "boss": {"login": "chief"}})), 0);
        assert_eq!(complaints(json!({"boss": null})), 1);
        assert_eq!(complaints(json!({"login": null})), 1);
        assert_eq!(complaints(json!({"login": "a", "boss": {"login": "b"}})), 1);
    }
}
