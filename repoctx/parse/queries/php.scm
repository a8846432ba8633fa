; --- definitions ---------------------------------------------------------------------------------

(namespace_definition name: (_) @name body: (_) @body) @definition.namespace

(class_declaration name: (name) @name body: (_) @body) @definition.class

(interface_declaration name: (name) @name body: (_) @body) @definition.interface

(trait_declaration name: (name) @name body: (_) @body) @definition.trait

(enum_declaration name: (name) @name body: (_) @body) @definition.enum

(enum_case name: (name) @name) @definition.enum_member

(function_definition name: (name) @name body: (_) @body) @definition.function

(method_declaration name: (name) @name body: (_)? @body) @definition.method

(property_declaration
  (property_element name: (variable_name (name) @name))
  (property_hook_list) @body) @definition.property

(property_declaration (property_element name: (variable_name (name) @name))) @definition.field

(property_promotion_parameter name: (variable_name (name) @name)) @definition.field

(const_declaration (const_element . (name) @name)) @definition.constant

((function_call_expression
  function: (name) @_define
  arguments: (arguments . (argument (string (string_content) @name)))) @definition.constant
  (#eq? @_define "define"))

; --- imports -------------------------------------------------------------------------------------

(namespace_use_declaration
  !body
  (namespace_use_clause (qualified_name prefix: (namespace_name) @module (name) @import.name) alias: (_)? @import.alias)) @import

(namespace_use_declaration
  !body
  (namespace_use_clause . (name) @module alias: (_)? @import.alias)) @import

(namespace_use_declaration
  (namespace_name) @module
  body: (namespace_use_group (namespace_use_clause . (name) @import.name alias: (_)? @import.alias))) @import

[(require_expression [(string (string_content) @module) (binary_expression right: (string (string_content) @module))])
 (require_once_expression [(string (string_content) @module) (binary_expression right: (string (string_content) @module))])
 (include_expression [(string (string_content) @module) (binary_expression right: (string (string_content) @module))])
 (include_once_expression [(string (string_content) @module) (binary_expression right: (string (string_content) @module))])
] @import @import.everything

; --- references ----------------------------------------------------------------------------------

[(base_clause [(name) (qualified_name)] @reference.inherit)
 (class_interface_clause [(name) (qualified_name)] @reference.inherit)
 (use_declaration [(name) (qualified_name)] @reference.inherit)]

(function_call_expression function: [(name) (qualified_name)] @reference.call)

(member_call_expression object: (_) @qualifier name: (name) @name) @reference.call

(nullsafe_member_call_expression object: (_) @qualifier name: (name) @name) @reference.call

(scoped_call_expression scope: (_) @qualifier name: (name) @name) @reference.call

(object_creation_expression [(name) (qualified_name)] @reference.call)

(named_type [(name) (qualified_name)] @reference.type)

(attribute [(name) (qualified_name)] @reference.type)

(scoped_call_expression scope: [(name) (qualified_name)] @reference.type)

(class_constant_access_expression . [(name) (qualified_name)] @reference.type)

(scoped_property_access_expression scope: [(name) (qualified_name)] @reference.type)

(binary_expression operator: "instanceof" right: [(name) (qualified_name)] @reference.type)

(class_constant_access_expression . (_) @qualifier (name) @name) @reference.read

(member_access_expression object: (variable_name) @qualifier name: (name) @name) @reference.read

[(argument (name) @reference.read)
 (return_statement (name) @reference.read)
 (assignment_expression right: (name) @reference.read)
 (binary_expression (name) @reference.read)
 (array_element_initializer (name) @reference.read)]
