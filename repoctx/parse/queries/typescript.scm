; What TypeScript alone writes; the rest is in ecmascript.scm.

[(class_declaration name: (type_identifier) @name body: (_) @body)
 (abstract_class_declaration name: (type_identifier) @name body: (_) @body)
 (class name: (type_identifier) @name body: (_) @body)] @definition.class

(public_field_definition
  name: [(property_identifier) (private_property_identifier)] @name
  value: [(arrow_function body: (_) @body) (function_expression body: (_) @body)]) @definition.method

(public_field_definition
  name: [(property_identifier) (private_property_identifier)] @name) @definition.field

(interface_declaration name: (type_identifier) @name body: (_) @body) @definition.interface

(type_alias_declaration name: (type_identifier) @name) @definition.type

(enum_declaration name: (identifier) @name body: (_) @body) @definition.enum

(enum_body [name: (property_identifier) @name (enum_assignment name: (property_identifier) @name)] @definition.enum_member)

[(internal_module name: (_) @name body: (_) @body)
 (module name: (_) @name body: (_) @body)] @definition.namespace

[(function_signature name: (identifier) @name)
 (function_declaration name: (identifier) @name !body)] @definition.function

[(method_signature name: (property_identifier) @name)
 (abstract_method_signature name: (property_identifier) @name)] @definition.method

(property_signature name: (property_identifier) @name) @definition.field

; Parameters of a constructor that are fields.
(required_parameter [(accessibility_modifier) "readonly"] pattern: (identifier) @name) @definition.field

(ambient_declaration (_) @inner .) @outer

(ambient_declaration
  [(lexical_declaration (variable_declarator name: (identifier) @name))
   (variable_declaration (variable_declarator name: (identifier) @name))] @definition.variable)

((decorator) @outer . (_) @inner)

(extends_clause value: [(identifier) (member_expression)] @reference.inherit)

(extends_clause value: (call_expression arguments: (arguments (identifier) @reference.inherit)))

[(implements_clause (type_identifier) @reference.inherit)
 (implements_clause (nested_type_identifier) @reference.inherit)
 (implements_clause (generic_type name: (_) @reference.inherit))
 (extends_type_clause type: (type_identifier) @reference.inherit)
 (extends_type_clause type: (nested_type_identifier) @reference.inherit)
 (extends_type_clause type: (generic_type name: (_) @reference.inherit))]

(nested_type_identifier) @reference.type

(type_identifier) @reference.type

(type_query [(identifier) (member_expression)] @reference.type)

[(required_parameter pattern: (identifier) @local)
 (optional_parameter pattern: (identifier) @local)
 (type_parameter name: (type_identifier) @local)
 (infer_type (type_identifier) @local)
 (mapped_type_clause name: (type_identifier) @local)
 (rest_pattern (identifier) @local)
 (object_pattern (shorthand_property_identifier_pattern) @local)
 (object_pattern (object_assignment_pattern left: (shorthand_property_identifier_pattern) @local))
 (pair_pattern value: (identifier) @local)
 (array_pattern (identifier) @local)
 (arrow_function parameter: (identifier) @local)
 (variable_declarator name: (identifier) @local)
 (for_in_statement left: (identifier) @local)
 (catch_clause parameter: (identifier) @local)]
