package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/suanpan-bank/suanpan/bank"
	"github.com/suanpan-bank/suanpan/catalogue"
)

func catalogueCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "catalogue [FILE]",
		Short: "Print the built-in catalogue of products, or check the one in a file",
		Long: `Prints the catalogue that a bank begins with: products, dated rates, limits and sale windows. Save it, change
it and start the bank with serve --catalogue FILE. With a file, checks it and says what it sells.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			out := cmd.OutOrStdout()
			if len(args) == 0 {
				_, err := out.Write(catalogue.Default)
				return err
			}
			c, err := readCatalogue(args[0])
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "%s: version %s, %d deposit products\n", args[0], c.Version, len(c.Deposits))
			return nil
		},
	}
}

// readCatalogue reads the bank's catalogue; the built-in one without a file.
func readCatalogue(path string) (*bank.Catalogue, error) {
	if path == "" {
		return bank.DefaultCatalogue(), nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("catalogue: %w", err)
	}
	c, err := catalogue.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("catalogue %s:\n%w", path, err)
	}
	return c, nil
}
