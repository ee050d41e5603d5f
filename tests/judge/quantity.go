package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/api/resource"
)

// Reads JSON strings, one a line, and prints each as the quantity that the
// API server makes of it: its digits and the power of ten that they are
// multiplied with, as in 15e-1, or the word ERROR.
func printQuantities(texts io.Reader) error {
	out := bufio.NewWriter(os.Stdout)
	lines := bufio.NewScanner(texts)
	for lines.Scan() {
		var text string
		if err := json.Unmarshal(lines.Bytes(), &text); err != nil {
			return err
		}
		quantity, err := resource.ParseQuantity(text)
		if err != nil {
			fmt.Fprintln(out, "ERROR")
			continue
		}
		decimal := quantity.AsDec()
		fmt.Fprintf(out, "%se%d\n", decimal.UnscaledBig(), -int64(decimal.Scale()))
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return out.Flush()
}
