"""Words that free text and clinical notes are made of."""

_WORDS = """
amber apple arrow autumn bamboo barley basket beacon birch bishop blanket bottle bridge bronze butter cabin camel candle
canyon carpet castle cedar cherry circle clover coffee copper coral cotton cradle cricket crystal dagger daisy desert
dragon eagle ember engine falcon feather fiddle flint forest fossil garden ginger glacier granite hammer harbor hazel
helmet honey island ivory jacket jasmine jungle kettle ladder lantern lemon linen
"""
_DISEASES = (
    "migraine asthma gout psoriasis epilepsy hepatitis anemia glaucoma insomnia lupus arthritis alcoholism "
    "depression pneumonia angina eczema"
)
_DRUGS = "topiramate albuterol allopurinol lithium valproate metformin prednisone warfarin sertraline lisinopril"

WORDS = tuple(_WORDS.split())
"""64 words; eight of them are one of 2.8e14 texts."""
DISEASES, DRUGS = tuple(_DISEASES.split()), tuple(_DRUGS.split())
DOSES = (5, 10, 20, 25, 50, 75, 100, 200)
TIMES = ("once a day", "twice a day", "at night", "with meals")
