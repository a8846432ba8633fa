; --- definitions ---------------------------------------------------------------------------------

(namespace_declaration name: (_) @name body: (_) @body) @definition.namespace

[(class_declaration name: (identifier) @name body: (_)? @body)
 (record_declaration name: (identifier) @name body: (_)? @body)] @definition.class

(interface_declaration name: (identifier) @name body: (_)? @body) @definition.interface

(struct_declaration name: (identifier) @name body: (_)? @body) @definition.struct

(enum_declaration name: (identifier) @name body: (_)? @body) @definition.enum

(enum_member_declaration name: (identifier) @name) @definition.enum_member

(delegate_declaration name: (identifier) @name) @definition.type

(method_declaration name: (identifier) @name body: (_)? @body) @definition.method

(constructor_declaration name: (identifier) @name body: (_)? @body) @definition.constructor

(destructor_declaration "~" @name body: (_)? @body) @definition.method

(local_function_statement name: (identifier) @name body: (_)? @body) @definition.function

(property_declaration name: (identifier) @name accessors: (_)? @body) @definition.property

(indexer_declaration "this" @name accessors: (_)? @body) @definition.property

(event_declaration name: (identifier) @name accessors: (_)? @body) @definition.field

[(field_declaration (variable_declaration (variable_declarator name: (identifier) @name)))
 (event_field_declaration (variable_declaration (variable_declarator name: (identifier) @name)))] @definition.field

(record_declaration (parameter_list (parameter name: (identifier) @name) @definition.field))

; --- imports -------------------------------------------------------------------------------------

(using_directive name: (identifier) @import.alias [(identifier) (qualified_name)] @module .) @import

(using_directive !name [(identifier) (qualified_name)] @module @import.everything) @import

; --- references ----------------------------------------------------------------------------------

(base_list [
  (identifier) @reference.inherit
  (qualified_name) @reference.inherit
  (generic_name . (identifier) @reference.inherit)
  (primary_constructor_base_type type: (_) @reference.inherit)])

(invocation_expression function: [(identifier) (member_access_expression)] @reference.call)

(invocation_expression function: (generic_name . (identifier) @reference.call))

(invocation_expression function: (conditional_access_expression
  condition: (_) @qualifier (member_binding_expression name: (identifier) @name))) @reference.call

(invocation_expression function: (member_access_expression
  expression: (_) @qualifier name: (generic_name . (identifier) @name))) @reference.call

(object_creation_expression type: [
  (identifier) @reference.call
  (qualified_name) @reference.call
  (generic_name . (identifier) @reference.call)])

(attribute name: (_) @reference.type)

[(variable_declaration type: (identifier) @reference.type)
 (parameter type: (identifier) @reference.type)
 (property_declaration type: (identifier) @reference.type)
 (indexer_declaration type: (identifier) @reference.type)
 (method_declaration returns: (identifier) @reference.type)
 (local_function_statement type: (identifier) @reference.type)
 (delegate_declaration type: (identifier) @reference.type)
 (operator_declaration type: (identifier) @reference.type)
 (nullable_type type: (identifier) @reference.type)
 (array_type type: (identifier) @reference.type)
 (generic_name . (identifier) @reference.type)
 (type_argument_list (identifier) @reference.type)
 (cast_expression type: (identifier) @reference.type)
 (as_expression right: (identifier) @reference.type)
 (is_expression right: (identifier) @reference.type)
 (typeof_expression type: (identifier) @reference.type)
 (declaration_pattern type: (identifier) @reference.type)
 (declaration_expression type: (identifier) @reference.type)
 (constant_pattern (identifier) @reference.type)
 (catch_declaration type: (identifier) @reference.type)
 (type_parameter_constraint (type (identifier) @reference.type))
 (foreach_statement type: (identifier) @reference.type)
 (array_type type: (generic_name . (identifier) @reference.type))]

(qualified_name) @reference.type

(member_access_expression expression: [(identifier) "this" "base"]) @reference.read

(member_access_expression expression: (identifier) @reference.read)

[(argument (identifier) @reference.read)
 (assignment_expression right: (identifier) @reference.read)
 (variable_declarator (identifier) @reference.read)
 (return_statement (identifier) @reference.read)
 (arrow_expression_clause (identifier) @reference.read)
 (binary_expression (identifier) @reference.read)
 (prefix_unary_expression (identifier) @reference.read)
 (conditional_expression (identifier) @reference.read)
 (parenthesized_expression (identifier) @reference.read)
 (element_access_expression expression: (identifier) @reference.read)
 (initializer_expression (identifier) @reference.read)
 (foreach_statement right: (identifier) @reference.read)
 (if_statement condition: (identifier) @reference.read)
 (interpolation (identifier) @reference.read)
 (conditional_access_expression condition: (identifier) @reference.read)]

; --- names bound in methods ----------------------------------------------------------------------

[(parameter name: (identifier) @local)
 (local_declaration_statement (variable_declaration (variable_declarator name: (identifier) @local)))
 (using_statement (variable_declaration (variable_declarator name: (identifier) @local)))
 (for_statement (variable_declaration (variable_declarator name: (identifier) @local)))
 (foreach_statement left: (identifier) @local)
 (declaration_pattern name: (identifier) @local)
 (declaration_expression name: (identifier) @local)
 (catch_declaration name: (identifier) @local)
 (lambda_expression parameters: (implicit_parameter) @local)
 (type_parameter name: (identifier) @local)]
