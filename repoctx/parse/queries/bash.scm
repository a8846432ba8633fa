; --- definitions ---------------------------------------------------------------------------------

(function_definition name: (word) @name body: (_) @body) @definition.function

(program (variable_assignment name: (variable_name) @name) @definition.variable)

(program (declaration_command (variable_assignment name: (variable_name) @name)) @definition.variable)

; --- imports -------------------------------------------------------------------------------------

((command
  name: (command_name) @_source
  argument: [(word) (concatenation) (string) (raw_string)] @module) @import @import.everything
  (#match? @_source "^(source|\\.)$"))

; --- references ----------------------------------------------------------------------------------

(command name: (command_name (word) @reference.call))

(command argument: (word) @reference.read)

[(simple_expansion (variable_name) @reference.read)
 (expansion (variable_name) @reference.read)]

; --- names bound in functions --------------------------------------------------------------------

(declaration_command ["local" "declare" "typeset"] (variable_assignment name: (variable_name) @local))

(declaration_command ["local" "declare" "typeset"] (variable_name) @local)
