; --- definitions ---------------------------------------------------------------------------------

(function_definition
  declarator: [
    (function_declarator declarator: (identifier) @name)
    (pointer_declarator declarator: (function_declarator declarator: (identifier) @name))
    (pointer_declarator declarator: (pointer_declarator declarator: (function_declarator declarator: (identifier) @name)))
    (function_declarator declarator: (parenthesized_declarator (identifier) @name))]
  body: (_) @body) @definition.function

; A macro before the name: int CALL name(void) { ... }
(function_definition
  type: (type_identifier) @name
  declarator: (parenthesized_declarator)
  body: (_) @body) @definition.function

(declaration
  declarator: [
    (function_declarator declarator: (identifier) @name)
    (pointer_declarator declarator: (function_declarator declarator: (identifier) @name))
    (pointer_declarator declarator: (pointer_declarator declarator: (function_declarator declarator: (identifier) @name)))]) @definition.function

(type_definition
  type: (struct_specifier body: (_) @body)
  declarator: (type_identifier) @name) @definition.struct

(type_definition
  type: (union_specifier body: (_) @body)
  declarator: (type_identifier) @name) @definition.union

(type_definition
  type: (enum_specifier body: (_) @body)
  declarator: (type_identifier) @name) @definition.enum

(type_definition
  declarator: [
    (type_identifier) @name
    (pointer_declarator declarator: (type_identifier) @name)
    (array_declarator declarator: (type_identifier) @name)
    (function_declarator declarator: (parenthesized_declarator
      (pointer_declarator declarator: (type_identifier) @name)))]) @definition.type

(struct_specifier name: (type_identifier) @name body: (_) @body) @definition.struct

(union_specifier name: (type_identifier) @name body: (_) @body) @definition.union

(enum_specifier name: (type_identifier) @name body: (_) @body) @definition.enum

(enumerator name: (identifier) @name) @definition.enum_member

(field_declaration
  declarator: [
    (field_identifier) @name
    (pointer_declarator declarator: (field_identifier) @name)
    (pointer_declarator declarator: (pointer_declarator declarator: (field_identifier) @name))
    (array_declarator declarator: (field_identifier) @name)
    (function_declarator declarator: (parenthesized_declarator
      (pointer_declarator declarator: (field_identifier) @name)))
    (pointer_declarator declarator: (function_declarator declarator: (parenthesized_declarator
      (pointer_declarator declarator: (field_identifier) @name))))]) @definition.field

[(preproc_def name: (identifier) @name)
 (preproc_function_def name: (identifier) @name)] @definition.macro

; What a macro makes a function of: TEST(name) { ... }
(translation_unit (expression_statement (call_expression)) . (compound_statement) @anonymous)

; In a function these are locals.
(declaration
  declarator: [
    (identifier) @name
    (init_declarator declarator: (identifier) @name)
    (pointer_declarator declarator: (identifier) @name)
    (array_declarator declarator: (identifier) @name)
    (init_declarator declarator: (pointer_declarator declarator: (identifier) @name))
    (init_declarator declarator: (array_declarator declarator: (identifier) @name))]) @definition.variable

; --- imports -------------------------------------------------------------------------------------

(preproc_include path: [(string_literal) (system_lib_string)] @module @import.everything) @import

; --- references ----------------------------------------------------------------------------------

(call_expression function: (identifier) @reference.call)

(call_expression
  function: (field_expression argument: (_) @qualifier field: (field_identifier) @name)) @reference.call

(type_identifier) @reference.type

[(argument_list (identifier) @reference.read)
 (init_declarator value: (identifier) @reference.read)
 (assignment_expression right: (identifier) @reference.read)
 (return_statement (identifier) @reference.read)
 (binary_expression (identifier) @reference.read)
 (unary_expression (identifier) @reference.read)
 (pointer_expression (identifier) @reference.read)
 (conditional_expression (identifier) @reference.read)
 (parenthesized_expression (identifier) @reference.read)
 (subscript_expression (identifier) @reference.read)
 (initializer_list (identifier) @reference.read)
 (initializer_pair value: (identifier) @reference.read)
 (case_statement value: (identifier) @reference.read)
 (field_expression argument: (identifier) @reference.read)
 (array_declarator size: (identifier) @reference.read)]

; --- names bound in functions --------------------------------------------------------------------

[(parameter_declaration declarator: (identifier) @local)
 (parameter_declaration declarator: (pointer_declarator declarator: (identifier) @local))
 (parameter_declaration declarator: (pointer_declarator declarator: (pointer_declarator declarator: (identifier) @local)))
 (parameter_declaration declarator: (array_declarator declarator: (identifier) @local))
 (parameter_declaration declarator: (function_declarator declarator: (parenthesized_declarator
   (pointer_declarator declarator: (identifier) @local))))
 (preproc_params (identifier) @local)]

; --- flows ---------------------------------------------------------------------------------------

[(parameter_declaration type: [(type_identifier) @type (struct_specifier name: (type_identifier) @type) (union_specifier name: (type_identifier) @type)] declarator: [
   (identifier) @target
   (pointer_declarator declarator: (identifier) @target)
   (pointer_declarator declarator: (pointer_declarator declarator: (identifier) @target))])
 (declaration type: [(type_identifier) @type (struct_specifier name: (type_identifier) @type) (union_specifier name: (type_identifier) @type)] declarator: [
   (identifier) @target
   (init_declarator declarator: (identifier) @target)
   (pointer_declarator declarator: (identifier) @target)
   (init_declarator declarator: (pointer_declarator declarator: (identifier) @target))])
 (field_declaration type: [(type_identifier) @type (struct_specifier name: (type_identifier) @type) (union_specifier name: (type_identifier) @type)] declarator: [
   (field_identifier) @target
   (pointer_declarator declarator: (field_identifier) @target)])
 (type_definition type: [(type_identifier) @type (struct_specifier name: (type_identifier) @type) (union_specifier name: (type_identifier) @type)] declarator: [
   (type_identifier) @target
   (pointer_declarator declarator: (type_identifier) @target)])] @flow

[(parameter_declaration type: [(type_identifier) @held (struct_specifier name: (type_identifier) @held) (union_specifier name: (type_identifier) @held)] declarator: (array_declarator declarator: (identifier) @target))
 (declaration type: [(type_identifier) @held (struct_specifier name: (type_identifier) @held) (union_specifier name: (type_identifier) @held)] declarator: (array_declarator declarator: (identifier) @target))
 (field_declaration type: [(type_identifier) @held (struct_specifier name: (type_identifier) @held) (union_specifier name: (type_identifier) @held)] declarator: (array_declarator declarator: (field_identifier) @target))] @flow

[(function_definition type: [(type_identifier) @type (struct_specifier name: (type_identifier) @type) (union_specifier name: (type_identifier) @type)] declarator: [
   (function_declarator declarator: (_) @target)
   (pointer_declarator declarator: (function_declarator declarator: (_) @target))])
 (declaration type: [(type_identifier) @type (struct_specifier name: (type_identifier) @type) (union_specifier name: (type_identifier) @type)] declarator: [
   (function_declarator declarator: (_) @target)
   (pointer_declarator declarator: (function_declarator declarator: (_) @target))])] @flow.return
