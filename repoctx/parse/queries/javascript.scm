; What JavaScript alone writes; the rest is in ecmascript.scm.

[(class_declaration name: (identifier) @name body: (_) @body)
 (class name: (identifier) @name body: (_) @body)] @definition.class

(field_definition
  property: [(property_identifier) (private_property_identifier)] @name
  value: [(arrow_function body: (_) @body) (function_expression body: (_) @body)]) @definition.method

(field_definition
  property: [(property_identifier) (private_property_identifier)] @name) @definition.field

(class_heritage [(identifier) (member_expression)] @reference.inherit)

(class_heritage (call_expression arguments: (arguments (identifier) @reference.inherit)))

[(formal_parameters (identifier) @local)
 (formal_parameters (assignment_pattern left: (identifier) @local))
 (rest_pattern (identifier) @local)
 (object_pattern (shorthand_property_identifier_pattern) @local)
 (object_pattern (object_assignment_pattern left: (shorthand_property_identifier_pattern) @local))
 (pair_pattern value: (identifier) @local)
 (array_pattern (identifier) @local)
 (arrow_function parameter: (identifier) @local)
 (variable_declarator name: (identifier) @local)
 (for_in_statement left: (identifier) @local)
 (catch_clause parameter: (identifier) @local)]
