; --- definitions ---------------------------------------------------------------------------------

(namespace_definition name: (_) @name body: (_) @body) @definition.namespace

(class_specifier name: [(type_identifier) (qualified_identifier) (template_type)] @name body: (_) @body) @definition.class

(struct_specifier name: [(type_identifier) (qualified_identifier) (template_type)] @name body: (_) @body) @definition.struct

(union_specifier name: (type_identifier) @name body: (_) @body) @definition.union

(enum_specifier name: (_) @name body: (_) @body) @definition.enum

(enumerator name: (identifier) @name) @definition.enum_member

(concept_definition name: (identifier) @name) @definition.type

(alias_declaration name: (type_identifier) @name) @definition.type

(type_definition type: (struct_specifier body: (_) @body) declarator: (type_identifier) @name) @definition.struct

(type_definition type: (union_specifier body: (_) @body) declarator: (type_identifier) @name) @definition.union

(type_definition type: (enum_specifier body: (_) @body) declarator: (type_identifier) @name) @definition.enum

(type_definition
  declarator: [
    (type_identifier) @name
    (pointer_declarator declarator: (type_identifier) @name)
    (array_declarator declarator: (type_identifier) @name)
    (function_declarator declarator: (parenthesized_declarator
      (pointer_declarator declarator: (type_identifier) @name)))]) @definition.type

(function_definition
  declarator: [
    (function_declarator declarator: (qualified_identifier) @name)
    (pointer_declarator declarator: (function_declarator declarator: (qualified_identifier) @name))
    (reference_declarator (function_declarator declarator: (qualified_identifier) @name))
    (qualified_identifier) @name]
  body: (_)? @body) @definition.method

(function_definition
  declarator: [
    (function_declarator declarator: [(identifier) (field_identifier) (destructor_name) (operator_name)] @name)
    (function_declarator declarator: (template_function name: (identifier) @name))
    (pointer_declarator declarator: (function_declarator declarator: [(identifier) (field_identifier) (operator_name)] @name))
    (pointer_declarator declarator: (pointer_declarator declarator: (function_declarator declarator: [(identifier) (field_identifier)] @name)))
    (reference_declarator (function_declarator declarator: [(identifier) (field_identifier) (operator_name)] @name))
    (operator_cast) @name]
  body: (_)? @body) @definition.function

[(declaration declarator: (function_declarator declarator: [(identifier) (destructor_name) (operator_name)] @name))
 (declaration declarator: (pointer_declarator declarator: (function_declarator declarator: [(identifier) (operator_name)] @name)))
 (declaration declarator: (reference_declarator (function_declarator declarator: [(identifier) (operator_name)] @name)))
 (field_declaration declarator: (function_declarator declarator: [(field_identifier) (identifier) (operator_name)] @name))
 (field_declaration declarator: (pointer_declarator declarator: (function_declarator declarator: [(field_identifier) (operator_name)] @name)))
 (field_declaration declarator: (reference_declarator (function_declarator declarator: [(field_identifier) (operator_name)] @name)))
] @definition.function

; A macro before the name: class API Name { ... }, int CALL name() { ... }
[(function_definition type: (class_specifier name: (type_identifier) !body) declarator: (identifier) @name body: (_) @body)
 (function_definition type: (struct_specifier name: (type_identifier) !body) declarator: (identifier) @name body: (_) @body)
] @definition.class

(function_definition
  type: (type_identifier) @name
  declarator: (parenthesized_declarator)
  body: (_) @body) @definition.function

(field_declaration
  declarator: [
    (field_identifier) @name
    (pointer_declarator declarator: (field_identifier) @name)
    (reference_declarator (field_identifier) @name)
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
    (init_declarator declarator: (reference_declarator (identifier) @name))
    (init_declarator declarator: (array_declarator declarator: (identifier) @name))]) @definition.variable

(template_declaration
  [(class_specifier) (struct_specifier) (union_specifier) (function_definition) (declaration)
   (alias_declaration) (concept_definition) (template_declaration)] @inner) @outer

; --- imports -------------------------------------------------------------------------------------

(preproc_include path: [(string_literal) (system_lib_string)] @module @import.everything) @import

(using_declaration "namespace" [(identifier) (qualified_identifier)] @module @import.everything) @import

(using_declaration . "using" . (qualified_identifier) @import.tree) @import

; --- references ----------------------------------------------------------------------------------

(base_class_clause [
  (type_identifier) @reference.inherit
  (qualified_identifier) @reference.inherit
  (template_type name: (_) @reference.inherit)])

(call_expression function: [(identifier) (qualified_identifier)] @reference.call)

(call_expression function: (template_function name: (_) @reference.call))

(call_expression function: (qualified_identifier scope: (_) @qualifier name: (template_function name: (_) @name))) @reference.call

; (*thing).name(), static_cast<Thing*>(other)->name()
(call_expression function: (field_expression
  argument: (parenthesized_expression (pointer_expression argument: [(identifier) (field_expression)] @qualifier))
  field: (field_identifier) @name)) @reference.call

((call_expression function: (field_expression
   argument: (call_expression
     function: (template_function
       name: (identifier) @_cast
       arguments: (template_argument_list . (type_descriptor type: (_) @qualifier))))
   field: (field_identifier) @name)) @reference.call
  (#match? @_cast "_cast$"))

(call_expression function: (field_expression argument: (_) @qualifier field: (field_identifier) @name)) @reference.call

(call_expression function: (field_expression argument: (_) @qualifier field: (template_method name: (_) @name))) @reference.call

(new_expression type: [
  (type_identifier) @reference.call
  (qualified_identifier) @reference.call
  (template_type name: (_) @reference.call)])

(qualified_identifier scope: (_) @qualifier name: (type_identifier) @name) @reference.type

(qualified_identifier scope: (_) @qualifier name: (template_type name: (_) @name)) @reference.type

(type_identifier) @reference.type

(qualified_identifier scope: (_) @qualifier name: (identifier) @name) @reference.read

(field_expression argument: (this) @qualifier field: (field_identifier) @name) @reference.read

[(argument_list (identifier) @reference.read)
 (init_declarator value: (identifier) @reference.read)
 (assignment_expression right: (identifier) @reference.read)
 (return_statement (identifier) @reference.read)
 (binary_expression (identifier) @reference.read)
 (unary_expression (identifier) @reference.read)
 (pointer_expression (identifier) @reference.read)
 (conditional_expression (identifier) @reference.read)
 (condition_clause value: (identifier) @reference.read)
 (parenthesized_expression (identifier) @reference.read)
 (subscript_expression (identifier) @reference.read)
 (initializer_list (identifier) @reference.read)
 (case_statement value: (identifier) @reference.read)
 (field_expression argument: (identifier) @reference.read)
 (for_range_loop right: (identifier) @reference.read)
 (array_declarator size: (identifier) @reference.read)]

; --- names bound in functions --------------------------------------------------------------------

[(parameter_declaration declarator: (identifier) @local)
 (parameter_declaration declarator: (pointer_declarator declarator: (identifier) @local))
 (parameter_declaration declarator: (reference_declarator (identifier) @local))
 (parameter_declaration declarator: (array_declarator declarator: (identifier) @local))
 (optional_parameter_declaration declarator: (identifier) @local)
 (optional_parameter_declaration declarator: (reference_declarator (identifier) @local))
 (for_range_loop declarator: (identifier) @local)
 (for_range_loop declarator: (reference_declarator (identifier) @local))
 (structured_binding_declarator (identifier) @local)
 (lambda_capture_initializer left: (identifier) @local)
 (preproc_params (identifier) @local)
 (type_parameter_declaration (type_identifier) @local)
 (optional_type_parameter_declaration name: (type_identifier) @local)]

; --- flows ---------------------------------------------------------------------------------------

; Declared: of one thing, or of an array of it.
[(parameter_declaration type: [(type_identifier) (qualified_identifier) (template_type)] @type declarator: [
   (identifier) @target
   (pointer_declarator declarator: (identifier) @target)
   (pointer_declarator declarator: (pointer_declarator declarator: (identifier) @target))
   (reference_declarator (identifier) @target)])
 (optional_parameter_declaration type: [(type_identifier) (qualified_identifier) (template_type)] @type declarator: [
   (identifier) @target
   (pointer_declarator declarator: (identifier) @target)
   (reference_declarator (identifier) @target)])
 (declaration type: [(type_identifier) (qualified_identifier) (template_type)] @type declarator: [
   (identifier) @target
   (init_declarator declarator: (identifier) @target)
   (pointer_declarator declarator: (identifier) @target)
   (init_declarator declarator: (pointer_declarator declarator: (identifier) @target))
   (init_declarator declarator: (reference_declarator (identifier) @target))])
 (field_declaration type: [(type_identifier) (qualified_identifier) (template_type)] @type declarator: [
   (field_identifier) @target
   (pointer_declarator declarator: (field_identifier) @target)
   (reference_declarator (field_identifier) @target)])
 (for_range_loop type: [(type_identifier) (qualified_identifier) (template_type)] @type declarator: [
   (identifier) @target
   (pointer_declarator declarator: (identifier) @target)
   (reference_declarator (identifier) @target)])
 (type_definition type: [(type_identifier) (qualified_identifier) (template_type)] @type declarator: [
   (type_identifier) @target
   (pointer_declarator declarator: (type_identifier) @target)])
 (alias_declaration name: (type_identifier) @target type: (type_descriptor type: [(type_identifier) (qualified_identifier) (template_type)] @type))] @flow

[(parameter_declaration type: [(type_identifier) (qualified_identifier) (template_type)] @held declarator: (array_declarator declarator: (identifier) @target))
 (declaration type: [(type_identifier) (qualified_identifier) (template_type)] @held declarator: (array_declarator declarator: (identifier) @target))
 (field_declaration type: [(type_identifier) (qualified_identifier) (template_type)] @held declarator: (array_declarator declarator: (field_identifier) @target))] @flow

; `Thing name(argument);` in a body is no prototype.
(compound_statement (declaration
  type: [(type_identifier) (qualified_identifier) (template_type)]
  declarator: (function_declarator declarator: (identifier) @local)))

(compound_statement (declaration
  type: [(type_identifier) (qualified_identifier) (template_type)] @type
  declarator: (function_declarator declarator: (identifier) @target))) @flow

[(function_definition type: [(type_identifier) (qualified_identifier) (template_type)] @type declarator: [
   (function_declarator declarator: (_) @target)
   (pointer_declarator declarator: (function_declarator declarator: (_) @target))
   (reference_declarator (function_declarator declarator: (_) @target))])
 (declaration type: [(type_identifier) (qualified_identifier) (template_type)] @type declarator: [
   (function_declarator declarator: (_) @target)
   (pointer_declarator declarator: (function_declarator declarator: (_) @target))
   (reference_declarator (function_declarator declarator: (_) @target))])
 (field_declaration type: [(type_identifier) (qualified_identifier) (template_type)] @type declarator: [
   (function_declarator declarator: (_) @target)
   (pointer_declarator declarator: (function_declarator declarator: (_) @target))
   (reference_declarator (function_declarator declarator: (_) @target))])
 (function_declarator declarator: (_) @target (trailing_return_type (type_descriptor) @type))] @flow.return

(declaration
  type: (placeholder_type_specifier)
  declarator: (init_declarator
    declarator: [
      (identifier) @target
      (pointer_declarator declarator: (identifier) @target)
      (reference_declarator (identifier) @target)]
    value: [
      (identifier) @value (field_expression) @value (call_expression) @value (subscript_expression) @value
      (pointer_expression argument: [(identifier) (field_expression) (call_expression)] @value)
      (new_expression type: (_) @type)
      (cast_expression type: (_) @type)
      (compound_literal_expression type: (_) @type)])) @flow

(declaration
  type: (placeholder_type_specifier)
  declarator: (identifier) @target
  value: [(identifier) (field_expression) (call_expression)] @value) @flow

; make_unique<Thing>(), static_cast<Thing*>(x), node.as<Thing>()
((declaration
  type: (placeholder_type_specifier)
  declarator: (init_declarator
    declarator: [(identifier) @target (pointer_declarator declarator: (identifier) @target)]
    value: (call_expression function: [
      (template_function name: (_) @_name arguments: (template_argument_list . (_) @type))
      (qualified_identifier name: (template_function name: (_) @_name arguments: (template_argument_list . (_) @type)))
      (field_expression field: (template_method name: (_) @_name arguments: (template_argument_list . (_) @type)))])))
  (#match? @_name "_cast$|^make_|^[Mm]ake|^as$|^get$|^create")) @flow

(for_range_loop
  type: (placeholder_type_specifier)
  declarator: [
    (identifier) @target
    (reference_declarator (identifier) @target)
    (structured_binding_declarator (_) . (identifier) @target .)
    (reference_declarator (structured_binding_declarator (_) . (identifier) @target .))]
  right: (_) @iterated) @flow
