; --- definitions ---------------------------------------------------------------------------------

(class_definition name: (identifier) @name body: (_)? @body) @definition.class

(object_definition name: (identifier) @name body: (_)? @body) @definition.object

(package_object name: (identifier) @name body: (_)? @body) @definition.object

(trait_definition name: (identifier) @name body: (_)? @body) @definition.trait

(enum_definition name: (identifier) @name body: (_)? @body) @definition.enum

[(simple_enum_case name: (identifier) @name)
 (full_enum_case name: (identifier) @name)] @definition.enum_member

(type_definition name: (type_identifier) @name) @definition.type

(extension_definition
  parameters: (parameters (parameter type: (_) @name))
  body: (_) @body) @container

[(function_definition name: [(identifier) (operator_identifier)] @name body: (_)? @body)
 (function_declaration name: [(identifier) (operator_identifier)] @name)] @definition.function

(given_definition name: (identifier) @name) @definition.variable

[(val_definition pattern: (identifier) @name)
 (val_declaration name: (identifier) @name)
 (var_definition pattern: (identifier) @name)
 (var_declaration name: (identifier) @name)] @definition.variable

(class_definition class_parameters: (class_parameters (class_parameter name: (identifier) @name) @definition.field))

; --- imports -------------------------------------------------------------------------------------

(import_declaration) @import @import.tree

; --- references ----------------------------------------------------------------------------------

[(extends_clause type: (type_identifier) @reference.inherit)
 (extends_clause type: (stable_type_identifier) @reference.inherit)
 (extends_clause type: (generic_type type: (_) @reference.inherit))
 (extends_clause type: (compound_type base: (type_identifier) @reference.inherit))
 (extends_clause type: (compound_type extra: (type_identifier) @reference.inherit))]

(call_expression function: [(identifier) (field_expression)] @reference.call)

(call_expression function: (generic_function function: [(identifier) (field_expression)] @reference.call))

(instance_expression [
  (type_identifier) @reference.call
  (stable_type_identifier) @reference.call
  (generic_type type: (_) @reference.call)])

(infix_expression operator: (identifier) @reference.call)

(stable_type_identifier) @reference.type

(type_identifier) @reference.type

(annotation name: (_) @reference.type)

(field_expression value: [(identifier) (field_expression)]) @reference.read

(field_expression value: (identifier) @reference.read)

[(arguments (identifier) @reference.read)
 (infix_expression left: (identifier) @reference.read)
 (infix_expression right: (identifier) @reference.read)
 (val_definition value: (identifier) @reference.read)
 (var_definition value: (identifier) @reference.read)
 (function_definition body: (identifier) @reference.read)
 (assignment_expression right: (identifier) @reference.read)
 (block (identifier) @reference.read)
 (case_clause body: (identifier) @reference.read)
 (match_expression value: (identifier) @reference.read)
 (if_expression condition: (parenthesized_expression (identifier) @reference.read))
 (interpolation (identifier) @reference.read)
 (tuple_expression (identifier) @reference.read)]

; --- names bound in functions --------------------------------------------------------------------

[(parameter name: (identifier) @local)
 (binding name: (identifier) @local)
 (lambda_expression parameters: (identifier) @local)
 (enumerator . (identifier) @local)
 (case_clause pattern: (identifier) @local)
 (typed_pattern pattern: (identifier) @local)
 (case_class_pattern pattern: (identifier) @local)
 (tuple_pattern (identifier) @local)
 (type_parameters name: (identifier) @local)]
