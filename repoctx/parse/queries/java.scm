; --- definitions ---------------------------------------------------------------------------------

(class_declaration name: (identifier) @name body: (_) @body) @definition.class

(record_declaration name: (identifier) @name body: (_) @body) @definition.class

(interface_declaration name: (identifier) @name body: (_) @body) @definition.interface

(annotation_type_declaration name: (identifier) @name body: (_) @body) @definition.interface

(enum_declaration name: (identifier) @name body: (_) @body) @definition.enum

(enum_constant name: (identifier) @name) @definition.enum_member

(method_declaration name: (identifier) @name body: (_)? @body) @definition.method

(annotation_type_element_declaration name: (identifier) @name) @definition.method

[(constructor_declaration name: (identifier) @name body: (_) @body)
 (compact_constructor_declaration name: (identifier) @name body: (_) @body)] @definition.constructor

[(field_declaration declarator: (variable_declarator name: (identifier) @name))
 (constant_declaration declarator: (variable_declarator name: (identifier) @name))] @definition.field

(record_declaration
  parameters: (formal_parameters (formal_parameter name: (identifier) @name) @definition.field))

; --- imports -------------------------------------------------------------------------------------

(import_declaration (scoped_identifier scope: (_) @module name: (_) @import.name) .) @import

(import_declaration (scoped_identifier) @module (asterisk) @import.everything) @import

; --- references ----------------------------------------------------------------------------------

(superclass [
  (type_identifier) @reference.inherit
  (scoped_type_identifier) @reference.inherit
  (generic_type . (_) @reference.inherit)])

(type_list [
  (type_identifier) @reference.inherit
  (scoped_type_identifier) @reference.inherit
  (generic_type . (_) @reference.inherit)])

(method_invocation
  object: (parenthesized_expression (cast_expression type: [(type_identifier) (scoped_type_identifier)] @qualifier))
  name: (identifier) @name) @reference.call

(method_invocation object: (_) @qualifier name: (identifier) @name) @reference.call

(method_invocation !object name: (identifier) @name) @reference.call

(method_reference . (_) @qualifier (identifier) @name) @reference.call

(object_creation_expression type: [
  (type_identifier) @reference.call
  (scoped_type_identifier) @reference.call
  (generic_type . (_) @reference.call)])

(explicit_constructor_invocation constructor: (_) @reference.call)

[(marker_annotation name: (_) @reference.type) (annotation name: (_) @reference.type)]

(scoped_type_identifier) @reference.type

(type_identifier) @reference.type

(field_access) @reference.read

[(method_invocation object: (identifier) @reference.read)
 (field_access object: (identifier) @reference.read)
 (argument_list (identifier) @reference.read)
 (assignment_expression right: (identifier) @reference.read)
 (variable_declarator value: (identifier) @reference.read)
 (return_statement (identifier) @reference.read)
 (binary_expression (identifier) @reference.read)
 (unary_expression (identifier) @reference.read)
 (ternary_expression (identifier) @reference.read)
 (parenthesized_expression (identifier) @reference.read)
 (array_access (identifier) @reference.read)
 (array_initializer (identifier) @reference.read)
 (element_value_pair value: (identifier) @reference.read)
 (annotation_argument_list (identifier) @reference.read)
 (enhanced_for_statement value: (identifier) @reference.read)
 (switch_label (identifier) @reference.read)
 (lambda_expression body: (identifier) @reference.read)]

; --- names bound in methods ----------------------------------------------------------------------

[(formal_parameter name: (identifier) @local)
 (spread_parameter (variable_declarator name: (identifier) @local))
 (local_variable_declaration declarator: (variable_declarator name: (identifier) @local))
 (enhanced_for_statement name: (identifier) @local)
 (catch_formal_parameter name: (identifier) @local)
 (resource name: (identifier) @local)
 (lambda_expression parameters: (identifier) @local)
 (inferred_parameters (identifier) @local)
 (instanceof_expression name: (identifier) @local)
 (type_parameter . (type_identifier) @local)]

; --- flows ---------------------------------------------------------------------------------------

[(formal_parameter type: (_unannotated_type) @type name: (identifier) @target)
 (local_variable_declaration type: (_unannotated_type) @type declarator: (variable_declarator name: (identifier) @target))
 (field_declaration type: (_unannotated_type) @type declarator: (variable_declarator name: (identifier) @target))
 (constant_declaration type: (_unannotated_type) @type declarator: (variable_declarator name: (identifier) @target))
 (enhanced_for_statement type: (_unannotated_type) @type name: (identifier) @target)
 (catch_formal_parameter (catch_type (_) @type) name: (identifier) @target)
 (resource type: (_unannotated_type) @type name: (identifier) @target)
 (instanceof_expression right: (_unannotated_type) @type name: (identifier) @target)] @flow

(spread_parameter (_unannotated_type) @held (variable_declarator name: (identifier) @target)) @flow

[(method_declaration type: (_unannotated_type) @type name: (identifier) @target)
 (annotation_type_element_declaration type: (_unannotated_type) @type name: (identifier) @target)] @flow.return

[(local_variable_declaration
   type: (type_identifier) @_var
   declarator: (variable_declarator name: (identifier) @target value: [
     (identifier) @value (field_access) @value (method_invocation) @value (array_access) @value
     (object_creation_expression type: (_) @type)
     (cast_expression type: (_) @type)]))
 (resource type: (type_identifier) @_var name: (identifier) @target value: (method_invocation) @value)
 (enhanced_for_statement
   type: (type_identifier) @_var
   name: (identifier) @target
   value: [(identifier) (field_access) (method_invocation)] @iterated)
 (#eq? @_var "var")] @flow

; What stands behind `->` gets an element of what is before the method, or the thing in it.
(method_invocation
  object: (_) @value @iterated
  arguments: (argument_list (lambda_expression parameters: [
    (identifier) @target
    (inferred_parameters . (identifier) @target .)]))) @flow
