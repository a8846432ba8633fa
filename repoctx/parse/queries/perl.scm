; --- definitions ---------------------------------------------------------------------------------

; A package without a block lasts until the next one.
[(source_file (package_statement name: (package) @name (block)? @body) @definition.class)
 (block (package_statement name: (package) @name (block)? @body) @definition.class)] @reach

(class_statement name: (package) @name (block) @body) @definition.class

(role_statement name: (package) @name (block) @body) @definition.trait

(subroutine_declaration_statement name: (bareword) @name body: (block)? @body) @definition.function

(method_declaration_statement name: (bareword) @name body: (block)? @body) @definition.method

((use_statement module: (package) @_constant (list_expression . (_) @name)) @definition.constant
  (#eq? @_constant "constant"))

((use_statement module: (package) @_constant (anonymous_hash_expression (list_expression (autoquoted_bareword) @name @definition.constant)))
  (#eq? @_constant "constant"))

[(source_file (expression_statement (variable_declaration variable: (_ (varname) @name)) @definition.variable))
 (source_file (expression_statement
   (assignment_expression left: (variable_declaration variable: (_ (varname) @name))) @definition.variable))]

; --- imports -------------------------------------------------------------------------------------

((use_statement module: (package) @module) @import @import.everything
  (#match? @module "^[A-Z]"))

(require_expression (bareword) @module) @import @import.everything

; --- references ----------------------------------------------------------------------------------

((use_statement module: (package) @_parent (string_literal (string_content) @reference.inherit))
  (#any-of? @_parent "parent" "base"))

((use_statement module: (package) @_parent (list_expression (string_literal (string_content) @reference.inherit)))
  (#any-of? @_parent "parent" "base"))

((use_statement module: (package) @_parent (quoted_word_list (string_content) @reference.inherit))
  (#any-of? @_parent "parent" "base")
  (#not-match? @reference.inherit "\\s"))

((method_call_expression invocant: (_) @qualifier method: (method) @name) @reference.call
  (#not-match? @name "::"))

((method) @reference.call
  (#match? @reference.call "::"))

([(function_call_expression function: (function) @reference.call)
  (ambiguous_function_call_expression function: (function) @reference.call)]
  (#not-match? @reference.call "^&"))

(function_call_expression function: (function (varname) @reference.call))

(refgen_expression (function (varname) @reference.call))

(bareword) @reference.read

[(scalar (varname) @reference.read)
 (array (varname) @reference.read)
 (hash (varname) @reference.read)
 (container_variable (varname) @reference.read)]

; --- names bound in subroutines ------------------------------------------------------------------

[(variable_declaration (_ (varname) @local))
 (mandatory_parameter (scalar (varname) @local))
 (for_statement variable: (scalar (varname) @local))]
