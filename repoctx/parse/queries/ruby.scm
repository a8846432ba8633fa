; --- definitions ---------------------------------------------------------------------------------

(module name: (_) @name body: (_)? @body) @definition.module

(class name: (_) @name body: (_)? @body) @definition.class

(method name: (_) @name body: (_)? @body) @definition.method

(singleton_method name: (_) @name body: (_)? @body) @definition.method

((assignment
  left: (constant) @name
  right: (call receiver: (constant) @_class method: (identifier) @_new)) @definition.class
  (#match? @_class "^(Struct|Class|Data)$")
  (#match? @_new "^(new|define)$"))

(assignment left: (constant) @name) @definition.constant

(alias name: (_) @name) @definition.method

((call
  method: (identifier) @_macro
  arguments: (argument_list (simple_symbol) @name)) @definition.property
  (#match? @_macro "^(attr_accessor|attr_reader|attr_writer)$"))

((call
  method: (identifier) @_macro
  arguments: (argument_list . (simple_symbol) @name)) @definition.method
  (#match? @_macro "^(alias_method|define_method|delegate)$"))

(call method: (identifier) arguments: (argument_list . (method) @inner .)) @outer

; --- imports -------------------------------------------------------------------------------------

((call
  method: (identifier) @_require
  arguments: (argument_list . (string (string_content) @module) .)) @import @import.everything
  (#match? @_require "^(require|require_relative|load)$"))

((call
  method: (identifier) @_autoload
  arguments: (argument_list . (simple_symbol) . (string (string_content) @module) .)) @import @import.everything
  (#eq? @_autoload "autoload"))

; --- references ----------------------------------------------------------------------------------

(superclass [(constant) (scope_resolution)] @reference.inherit)

((call
  method: (identifier) @_include
  arguments: (argument_list [(constant) (scope_resolution)] @reference.inherit))
  (#match? @_include "^(include|extend|prepend)$"))

(call receiver: (_) @qualifier method: (identifier) @name) @reference.call

(call !receiver method: (identifier) @name) @reference.call

(call !receiver method: (constant) @name) @reference.call

(super) @reference.call

(scope_resolution) @reference.type

(constant) @reference.type

(block_argument (simple_symbol) @reference.read)

[(body_statement (identifier) @reference.call)
 (argument_list (identifier) @reference.call)
 (assignment right: (identifier) @reference.call)
 (binary (identifier) @reference.call)
 (call receiver: (identifier) @reference.call)
 (if condition: (identifier) @reference.call)
 (unless condition: (identifier) @reference.call)
 (if_modifier (identifier) @reference.call)
 (unless_modifier (identifier) @reference.call)
 (return (argument_list (identifier) @reference.call))
 (then (identifier) @reference.call)
 (else (identifier) @reference.call)
 (block_body (identifier) @reference.call)
 (interpolation (identifier) @reference.call)
 (element_reference object: (identifier) @reference.call)
 (pair value: (identifier) @reference.call)
 (array (identifier) @reference.call)]

; --- names bound in methods ----------------------------------------------------------------------

[(method_parameters (identifier) @local)
 (block_parameters (identifier) @local)
 (lambda_parameters (identifier) @local)
 (optional_parameter name: (identifier) @local)
 (keyword_parameter name: (identifier) @local)
 (splat_parameter name: (identifier) @local)
 (hash_splat_parameter name: (identifier) @local)
 (block_parameter name: (identifier) @local)
 (destructured_parameter (identifier) @local)
 (assignment left: (identifier) @local)
 (operator_assignment left: (identifier) @local)
 (left_assignment_list (identifier) @local)
 (exception_variable (identifier) @local)
 (for pattern: (identifier) @local)]
