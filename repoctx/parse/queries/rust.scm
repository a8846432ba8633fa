; --- definitions ---------------------------------------------------------------------------------

(struct_item name: (type_identifier) @name body: (_)? @body) @definition.struct

(union_item name: (type_identifier) @name body: (_) @body) @definition.union

(enum_item name: (type_identifier) @name body: (_) @body) @definition.enum

(enum_variant name: (identifier) @name) @definition.enum_member

(trait_item name: (type_identifier) @name body: (_) @body) @definition.trait

[(type_item name: (type_identifier) @name)
 (associated_type name: (type_identifier) @name)] @definition.type

((attribute_item (attribute . [(identifier) (scoped_identifier)] @_attribute))
 . (attribute_item)*
 . (line_comment)*
 . (function_item name: (identifier) @name body: (_) @body) @definition.test
 (#match? @_attribute "(^|::)(test|rstest|test_case)$"))

(function_item name: (identifier) @name body: (_) @body) @definition.function

(function_signature_item name: (identifier) @name) @definition.function

(macro_definition name: (identifier) @name) @definition.macro

(mod_item name: (identifier) @name body: (_) @body) @definition.module

(const_item name: (identifier) @name) @definition.constant

(static_item name: (identifier) @name) @definition.variable

(field_declaration name: (field_identifier) @name) @definition.field

(impl_item type: (_) @name body: (_)) @container

((attribute_item) @outer . (_) @inner)

; --- imports -------------------------------------------------------------------------------------

(use_declaration argument: (_) @import.tree) @import

(mod_item name: (identifier) @module !body) @import

(extern_crate_declaration name: (identifier) @module alias: (_)? @import.alias) @import

; --- references ----------------------------------------------------------------------------------

(impl_item trait: [
  (type_identifier) @reference.inherit
  (scoped_type_identifier) @reference.inherit
  (generic_type type: (_) @reference.inherit)])

(trait_item bounds: (trait_bounds [
  (type_identifier) @reference.inherit
  (scoped_type_identifier) @reference.inherit
  (generic_type type: (_) @reference.inherit)]))

(call_expression function: [(identifier) (scoped_identifier) (field_expression)] @reference.call)

(call_expression function: (generic_function function: (_) @reference.call))

(macro_invocation macro: (_) @reference.call)

(token_tree (identifier) @reference.call @loose . (token_tree . "("))

(struct_expression name: [
  (type_identifier) @reference.call
  (scoped_type_identifier) @reference.call
  (generic_type_with_turbofish type: (_) @reference.call)])

((attribute_item (attribute (identifier) @_derive arguments: (token_tree (identifier) @reference.type)))
  (#eq? @_derive "derive"))

(scoped_type_identifier) @reference.type

(type_identifier) @reference.type

(scoped_identifier path: [
  (identifier) @reference.type
  (scoped_identifier) @reference.type])

(scoped_identifier) @reference.read

(field_expression value: [(identifier) (self)]) @reference.read

[(arguments (identifier) @reference.read)
 (let_declaration value: (identifier) @reference.read)
 (assignment_expression right: (identifier) @reference.read)
 (binary_expression (identifier) @reference.read)
 (unary_expression (identifier) @reference.read)
 (reference_expression value: (identifier) @reference.read)
 (return_expression (identifier) @reference.read)
 (field_initializer value: (identifier) @reference.read)
 (array_expression (identifier) @reference.read)
 (tuple_expression (identifier) @reference.read)
 (match_expression value: (identifier) @reference.read)
 (match_pattern (identifier) @reference.read)
 (match_arm value: (identifier) @reference.read)
 (block (identifier) @reference.read)
 (index_expression (identifier) @reference.read)
 (range_expression (identifier) @reference.read)]

(token_tree (identifier) @reference.read @loose)

; --- names bound in functions --------------------------------------------------------------------

[(parameter pattern: (identifier) @local)
 (let_declaration pattern: (identifier) @local)
 (tuple_pattern (identifier) @local)
 (tuple_struct_pattern (identifier) @local)
 (ref_pattern (identifier) @local)
 (mut_pattern (identifier) @local)
 (field_pattern name: (shorthand_field_identifier) @local)
 (field_pattern pattern: (identifier) @local)
 (closure_parameters (identifier) @local)
 (for_expression pattern: (identifier) @local)
 (type_parameter name: (type_identifier) @local)]

; --- flows ---------------------------------------------------------------------------------------

[(parameter pattern: [(identifier) @target (mut_pattern (identifier) @target)] type: (_) @type)
 (let_declaration pattern: [(identifier) @target (mut_pattern (identifier) @target)] type: (_) @type)
 (closure_parameters (parameter pattern: (identifier) @target type: (_) @type))
 (field_declaration name: (field_identifier) @target type: (_) @type)
 (const_item name: (identifier) @target type: (_) @type)
 (static_item name: (identifier) @target type: (_) @type)
 (type_item name: (type_identifier) @target type: (_) @type)] @flow

[(function_item name: (identifier) @target return_type: (_) @type)
 (function_signature_item name: (identifier) @target return_type: (_) @type)] @flow.return

(let_declaration
  pattern: [(identifier) @target (mut_pattern (identifier) @target)]
  value: [
    (identifier) @value (field_expression) @value (call_expression) @value (try_expression) @value
    (await_expression) @value (index_expression) @value (scoped_identifier) @value
    (reference_expression value: [(identifier) (field_expression) (call_expression) (index_expression)] @value)
    (reference_expression value: (struct_expression name: (_) @type))
    (unary_expression [(identifier) (field_expression)] @value)
    (struct_expression name: (_) @type)
    (type_cast_expression type: (_) @type)
  ]) @flow

; Some(x), Ok(x)
[(let_condition pattern: (tuple_struct_pattern type: (identifier) . (identifier) @target .) value: (_) @value)
 (let_declaration pattern: (tuple_struct_pattern type: (identifier) . (identifier) @target .) value: (_) @value)
 (match_expression
   value: (_) @value
   body: (match_block (match_arm pattern: (match_pattern
     (tuple_struct_pattern type: (identifier) @_some . (identifier) @target .)))))
 (#not-eq? @_some "Err")] @flow

(for_expression
  pattern: [(identifier) @target (tuple_pattern (identifier) @target .) (reference_pattern (identifier) @target)]
  value: (_) @iterated) @flow

; What a closure is given is an element of what is before the method, or the thing in it.
(call_expression
  function: (field_expression value: (_) @value @iterated)
  arguments: (arguments (closure_expression parameters: (closure_parameters . [
    (identifier) @target
    (reference_pattern (identifier) @target)] .)))) @flow
