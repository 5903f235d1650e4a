package standin

import (
	"encoding/binary"
	"fmt"
)

// Calls that wait in a client while a request is under way are packed into the next one, each a
// batch of its own. A trailer tells them apart: at the very end the number of batches, before it
// their element counts, the first batch's last, all in 16 bits; then 0xFFFF down to a multiple
// of the element size, so that the elements stay aligned. Replies are packed in the same way.

const (
	trailerItem    = 2
	trailerPadding = 0xFFFF
)

// trailerSize returns the size of the trailer of so many batches.
func trailerSize(batches, elementSize int) int {
	size := (batches + 1) * trailerItem
	return (size + elementSize - 1) / elementSize * elementSize
}

// splitBatches returns the element count of each batch in body and the elements of all of them.
func splitBatches(body []byte, elementSize int) (counts []int, elements []byte, err error) {
	if len(body) < trailerItem || len(body)%elementSize != 0 {
		return nil, nil, fmt.Errorf("%w: %d bytes of batches of %d-byte elements", errMalformed, len(body), elementSize)
	}
	item := func(i int) int { return int(binary.LittleEndian.Uint16(body[len(body)-(i+1)*trailerItem:])) }
	batches := item(0)
	size := trailerSize(batches, elementSize)
	if batches == 0 || batches == trailerPadding || size > len(body) {
		return nil, nil, fmt.Errorf("%w: %d batches in %d bytes", errMalformed, batches, len(body))
	}
	counts = make([]int, batches)
	sum := 0
	for i := range counts {
		counts[i] = item(i + 1)
		if counts[i] == trailerPadding {
			return nil, nil, fmt.Errorf("%w: batch %d without a count", errMalformed, i)
		}
		sum += counts[i]
	}
	for i := batches + 1; i < size/trailerItem; i++ {
		if item(i) != trailerPadding {
			return nil, nil, fmt.Errorf("%w: padding of the batches' trailer", errMalformed)
		}
	}
	elements = body[:len(body)-size]
	if sum*elementSize != len(elements) {
		return nil, nil, fmt.Errorf("%w: batches of %d elements in %d bytes", errMalformed, sum, len(elements))
	}
	return counts, elements, nil
}

// appendTrailer ends body, which holds the elements of all batches, with their counts.
func appendTrailer(body []byte, counts []int, elementSize int) []byte {
	padding := trailerSize(len(counts), elementSize)/trailerItem - len(counts) - 1
	for range padding {
		body = binary.LittleEndian.AppendUint16(body, trailerPadding)
	}
	for i := range counts {
		body = binary.LittleEndian.AppendUint16(body, uint16(counts[len(counts)-1-i]))
	}
	return binary.LittleEndian.AppendUint16(body, uint16(len(counts)))
}
