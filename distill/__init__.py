"""Stage 1: questions with gold SQL → verified traces."""

import warnings

# distilabel 1.5.3 says it on import, and nobody who runs planql can mend it
warnings.filterwarnings("ignore", message="The 'default' attribute with value None was provided")
