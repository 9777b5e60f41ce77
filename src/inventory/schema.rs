//! The JSON Schema of inventories, for editors and other tools.

use schemars::generate::SchemaSettings;
use serde_json::Value as Json;

use super::raw::{ClusterKeys, Described};

/// The schema that is committed as `schema/inventory.schema.json`.
pub fn schema() -> Json {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<Described<ClusterKeys>>();
    schema.insert("title".to_owned(), "hactl inventory".into());
    schema.to_value()
}
