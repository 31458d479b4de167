package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// complete makes a shell offer these words as a flag's value, and no files.
func complete(cmd *cobra.Command, flag string, words []string) {
	offer := cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
	if err := cmd.RegisterFlagCompletionFunc(flag, offer); err != nil {
		panic(err) // the flag is declared already
	}
}

var shells = []string{"bash", "zsh", "fish", "powershell"}

func completionCommand(s *streams) *cobra.Command {
	return &cobra.Command{
		Use:       "completion SHELL",
		Short:     "Print a completion script: " + strings.Join(shells, ", "),
		Example:   "  source <(mqttriage completion bash)",
		ValidArgs: shells,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return hint("mqttriage completion bash", "name one shell: %s", strings.Join(shells, ", "))
			}
			var err error
			switch root := cmd.Root(); args[0] {
			case "bash":
				err = root.GenBashCompletionV2(s.out, true)
			case "zsh":
				err = root.GenZshCompletion(s.out)
			case "fish":
				err = root.GenFishCompletion(s.out, true)
			case "powershell":
				err = root.GenPowerShellCompletionWithDesc(s.out)
			default:
				return hint("one of "+strings.Join(shells, ", "), "no completion for shell %q", args[0])
			}
			if err != nil {
				return &exitError{exitFailed, fmt.Errorf("write the completion script: %w", err)}
			}
			return nil
		},
	}
}
