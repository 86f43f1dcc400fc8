using Troupe.Testing.Fuzz;
using Xunit;

namespace Troupe.Model.Tests.Fuzz;

/// <summary>Everything of a model that is read from files: a clear line or a load that can be used, whatever stands there.</summary>
public sealed class FuzzTests
{
    [Fact]
    public void A_damaged_safetensors_header_is_one_clear_line_or_tensors_within_the_file()
    {
        using var target = new HeaderTarget();
        FuzzRun.Of(target);
    }

    [Fact]
    public void A_damaged_config_is_one_clear_line_or_a_model_that_can_be_planned() => FuzzRun.Of(new ConfigTarget());

    [Fact]
    public void A_damaged_tokenizer_is_one_clear_line_or_encodes_to_ids_that_it_knows() => FuzzRun.Of(new TokenizerTarget());

    [Fact]
    public void A_damaged_chat_template_is_one_clear_line_or_rendered_within_its_budget() => FuzzRun.Of(new TemplateTarget());

    [Fact]
    public void A_damaged_folder_is_one_clear_line_or_a_checkpoint_whose_weights_can_be_counted()
    {
        using var target = new FolderTarget();
        FuzzRun.Of(target);
    }
}
