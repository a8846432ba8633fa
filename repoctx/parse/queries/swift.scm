; --- definitions ---------------------------------------------------------------------------------

(class_declaration declaration_kind: "extension" name: (_) @name body: (_) @body) @container

(class_declaration declaration_kind: "struct" name: (type_identifier) @name body: (_) @body) @definition.struct

(class_declaration declaration_kind: "enum" name: (type_identifier) @name body: (_) @body) @definition.enum

(class_declaration
  declaration_kind: ["class" "actor"]
  name: (type_identifier) @name
  body: (_) @body) @definition.class

(protocol_declaration name: (type_identifier) @name body: (_) @body) @definition.interface

(enum_entry name: (simple_identifier) @name) @definition.enum_member

[(typealias_declaration name: (type_identifier) @name)
 (associatedtype_declaration name: (type_identifier) @name)] @definition.type

(function_declaration name: (simple_identifier) @name body: (_) @body) @definition.function

(function_declaration
  name: [(custom_operator) "==" "!=" "<" ">" "<=" ">=" "+" "-" "*" "/" "%"] @name
  body: (_) @body) @definition.function

(protocol_function_declaration name: (simple_identifier) @name) @definition.method

(init_declaration "init" @name body: (_)? @body) @definition.constructor

(deinit_declaration "deinit" @name body: (_) @body) @definition.method

(subscript_declaration "subscript" @name) @definition.property

(protocol_property_declaration name: (pattern bound_identifier: (simple_identifier) @name)) @definition.property

(property_declaration
  name: (pattern bound_identifier: (simple_identifier) @name)
  computed_value: (_)) @definition.property

(property_declaration
  (value_binding_pattern mutability: "let")
  name: (pattern bound_identifier: (simple_identifier) @name)) @definition.constant

(property_declaration name: (pattern bound_identifier: (simple_identifier) @name)) @definition.variable

; --- imports -------------------------------------------------------------------------------------

(import_declaration (identifier) @module) @import

; --- references ----------------------------------------------------------------------------------

(inheritance_specifier inherits_from: (user_type) @reference.inherit)

(call_expression . [(simple_identifier) (navigation_expression)] @reference.call)

(user_type) @reference.type

(attribute (user_type) @reference.type)

(navigation_expression target: [(simple_identifier) (self_expression)]) @reference.read

(navigation_expression target: (simple_identifier) @reference.read)

[(value_argument value: (simple_identifier) @reference.read)
 (control_transfer_statement result: (simple_identifier) @reference.read)
 (assignment result: (simple_identifier) @reference.read)
 (property_declaration value: (simple_identifier) @reference.read)
 (statements (simple_identifier) @reference.read)
 (comparison_expression (simple_identifier) @reference.read)
 (equality_expression (simple_identifier) @reference.read)
 (additive_expression (simple_identifier) @reference.read)
 (multiplicative_expression (simple_identifier) @reference.read)
 (array_literal element: (simple_identifier) @reference.read)
 (for_statement collection: (simple_identifier) @reference.read)
 (switch_statement expr: (simple_identifier) @reference.read)
 (if_statement condition: (simple_identifier) @reference.read)]

; --- names bound in functions --------------------------------------------------------------------

[(parameter name: (simple_identifier) @local)
 (lambda_parameter name: (simple_identifier) @local)
 (pattern bound_identifier: (simple_identifier) @local)
 (type_parameter (type_identifier) @local)]
